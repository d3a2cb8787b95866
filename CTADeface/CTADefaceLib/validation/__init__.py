"""The published validation (Mahmutoglu et al. 2024) on a folder of heads with reference masks, with further measures."""
