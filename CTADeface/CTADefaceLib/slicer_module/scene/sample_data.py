"""A head to try the module on, in Slicer's Sample Data module."""

from __future__ import annotations

from pathlib import Path

from ..texts import _

ICONS = Path(__file__).resolve().parents[3] / "Resources" / "Icons"
# Slicer's own CBCTMRHead sample: the person in it has allowed its use without any restrictions.
CBCT_SHA256 = "4ce7aa75278b5a7b757ed0c8d7a6b3caccfc3e2973b020532456dbc8f3def7db"
CBCT_URL = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/" + CBCT_SHA256


def register_sample_data() -> None:
    """Offer the cone-beam CT head; nothing is downloaded before somebody asks for it."""
    import SampleData

    logic = SampleData.SampleDataLogic
    # Slicer 5.10 shows the category's own name.
    if hasattr(logic, "registerCustomSampleDataCategory"):
        logic.registerCustomSampleDataCategory("CTADeface", title=_("CTA Deface"))
    logic.registerCustomSampleDataSource(
        category="CTADeface",
        sampleName="CTADefaceHead",
        thumbnailFileName=str(ICONS / "CTADefaceHead.png"),
        uris=CBCT_URL,
        fileNames="CTADeface-DZ-CBCT.nrrd",
        checksums="SHA256:" + CBCT_SHA256,
        nodeNames="CTADefaceHead",
    )
