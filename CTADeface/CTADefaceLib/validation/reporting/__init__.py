"""Tables, figures and the pages of a validation."""
