"""What headers may say in a release: what goes, what stays, pseudonyms, dates and UIDs, and the marks of a defaced file."""
