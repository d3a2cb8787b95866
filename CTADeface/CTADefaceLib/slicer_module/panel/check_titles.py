"""What the engine calls its checks and verdicts, in the user's language."""

from ...checks.check import FAIL, PASS, SKIP, WARN
from ..texts import _

VERDICTS = {PASS: _("pass"), WARN: _("warn"), FAIL: _("fail"), SKIP: _("not applicable")}
TITLES = {
    "input_is_ct": _("Input is a CT"),
    "head_found": _("Head found"),
    "second_head": _("No second head"),
    "field_of_view": _("Field of view"),
    "already_defaced": _("Face still in the input"),
    "mask_size": _("Size of the mask"),
    "mask_place": _("Place of the mask"),
    "mask_filled": _("Mask is filled"),
    "forehead": _("Forehead covered"),
    "brows": _("Brows covered"),
    "right_eye": _("Right eye covered"),
    "left_eye": _("Left eye covered"),
    "nose": _("Nose covered"),
    "right_cheek": _("Right cheek covered"),
    "left_cheek": _("Left cheek covered"),
    "mouth": _("Mouth covered"),
    "chin": _("Chin covered"),
    "right_jaw": _("Right jaw line covered"),
    "left_jaw": _("Left jaw line covered"),
    "submental": _("Skin below the chin covered"),
    "residual_skin": _("Skin left in the face"),
    "enclosed_skin": _("Skin left in holes and notches"),
    "model_face": _("What the model calls face"),
    "kept": _("Kept structures"),
    "brain": _("Brain untouched"),
    "bone": _("Bone untouched"),
    "vessels": _("Vessels untouched"),
    "outside": _("Rest bit-identical"),
    "right_ear": _("Right ear gone"),
    "left_ear": _("Left ear gone"),
    "written_file": _("File reads back"),
    "identity": _("Face recognition"),
}
