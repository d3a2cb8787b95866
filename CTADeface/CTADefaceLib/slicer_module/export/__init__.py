"""A defaced volume node on its way out, as a file or as DICOM."""
