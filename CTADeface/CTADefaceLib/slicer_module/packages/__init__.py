"""The Python packages that Slicer needs for the engine: what is installed, and installing them."""
