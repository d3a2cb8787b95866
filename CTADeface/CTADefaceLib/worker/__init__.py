"""Segmentation in a process of its own: ``client`` in Slicer, ``serve`` in the process."""
