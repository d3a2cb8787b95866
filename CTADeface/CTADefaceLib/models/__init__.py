"""nnU-Net v2 face models: where they live, what is in their folders, and loading them without running their code."""
