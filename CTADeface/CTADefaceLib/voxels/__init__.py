"""Volumes and their geometry, and what is computed over voxels, slab by slab. Knows no network and opens no file."""
