"""Where the repository, the library and the real data for tests lie; the data need not exist."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The folder from which Python imports the library and Slicer the module.
ENGINE = ROOT / "CTADeface"
TESTING = ROOT / "Testing"
RESOURCES = ENGINE / "Resources"
_SHARED = ROOT.parent / "shared" / "data"
# Heads with reference masks, and a real head-and-neck series beside them.
CHECK_DATA = Path(os.environ.get("CTADEFACE_CHECK_DATA") or _SHARED / "check")
DICOM_DATA = Path(os.environ.get("CTADEFACE_DICOM_DATA") or _SHARED / "dicom")
