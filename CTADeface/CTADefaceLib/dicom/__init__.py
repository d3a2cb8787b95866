"""DICOM in, DICOM out: series of a folder, their geometry and pixels, and the original files with the face's pixels replaced."""
