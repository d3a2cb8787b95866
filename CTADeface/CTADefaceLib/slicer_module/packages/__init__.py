"""The Python packages that the engine needs in Slicer: what is installed, and how to install them."""
