"""CT-Muscle renderings of a volume, and the pictures made of them."""
