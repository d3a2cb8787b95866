"""What talks to 3D Slicer; the engine below it knows nothing of Slicer. See ``logic`` first."""
