"""Many cases with one command: found in a folder, run in any order, each noted in a manifest that a later run continues."""
