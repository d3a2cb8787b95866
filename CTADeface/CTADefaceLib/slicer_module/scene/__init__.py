"""MRML nodes: volumes, the face segmentation, the preview, and what the user sees of them."""
