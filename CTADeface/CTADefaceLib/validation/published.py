"""Figures that others have published, to stand beside ours; nothing is here that was not read in its source.

``PAPER``: Mahmutoglu et al., Eur Radiol Exp 2024;8:111, doi 10.1186/s41747-024-00510-9, n = 50 external CTAs: the
abstract, and figures of its text as this project's brief gives them. Of its box plots no number is at hand. ``AUC``:
telling the same patient from others after defacing, published by others for CTA-DEFACE and TotalSegmentator's face
mask.
"""

PAPER = "Mahmutoglu et al. 2024"
PAPER_N = 50
DICE, DICE_SD = 0.94, 0.02
# Share of pictures in which MTCNN finds a face, by the method it belongs to here.
DETECTION = {"original": 0.84, "box-published": 0.74, "ours-published": 0.62}
MINUTES = {"box-published": 36.3, "ours-published": 0.2}
MINUTES_ON = {"box-published": "", "ours-published": " on a GPU"}
AUC = {"CTA-DEFACE": 0.60, "TotalSegmentator": 0.55}
