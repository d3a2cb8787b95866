"""Many cases with one command: found in a folder, run, and each noted in a manifest that a later run continues."""
