"""What is looked at before a defaced volume may leave: pure functions, each with a verdict and its number."""
