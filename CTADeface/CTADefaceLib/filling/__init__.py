"""What is put in the place of a face: a constant, or the levelled fill, which also hides where the skin was."""
