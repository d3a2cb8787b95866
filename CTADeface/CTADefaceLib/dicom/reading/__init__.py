"""DICOM files to a series, its slices and voxels: which files, what each series is, tilt, gaps and grids."""
