"""The bytes of NIfTI, NRRD and MetaImage files, and of the streams that pack them."""
