"""What CTADefaceTest runs in Slicer and by CTest, on synthetic heads: the console, the tutorial, DICOM, and a review."""
