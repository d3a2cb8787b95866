"""Volumes, their geometry, and what is computed over voxels, slab by slab. Knows no face and no network, and reads no file."""
