"""One case: its options, how it is prepared for release, and what became of it."""
