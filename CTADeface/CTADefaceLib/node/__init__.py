"""A DICOM node: receives studies, hands them to a batch, and sends on what the gate has released."""
