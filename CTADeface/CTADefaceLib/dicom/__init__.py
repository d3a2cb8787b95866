"""DICOM in, DICOM out: series of a folder, their geometry and pixels, the original files without the face."""
