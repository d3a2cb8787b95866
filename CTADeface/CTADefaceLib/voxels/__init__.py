"""Volumes and their geometry, and what is computed over voxels, slab by slab. Knows no face, no network and no file."""
