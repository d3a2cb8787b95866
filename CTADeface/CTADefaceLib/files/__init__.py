"""Volume files: reading, checking what was read, and writing without ever harming a file."""
