"""How a case is run: one value, handed on whole by shell, batch, DICOM, Slicer and Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checks.check import checked_overrides
from ..errors import UsageError
from ..filling.fill import DEFAULT_FILL, parse_fill
from ..network.model_run import ModelRun
from ..release.report import need_pictures


@dataclass(frozen=True)
class Options:
    """How a case is run; the same names as the shell's options.

    ``override`` maps failed checks to reasons, ``by`` is who gives them; ``records`` and ``masks`` are folders
    outside of the one that is given away (see ``release.hospital_folder``); ``ears``: both ears go too; with
    ``second_opinion`` the checks ask the model about a ``mask`` that was given; ``strict``: a check that warns stops the
    export as a failed one does; ``mask_only`` gives nothing away: the mask
    then goes to ``masks`` or the folder of the results; ``report`` and ``picture`` also put a page with pictures,
    and a PNG before and after, beside the record; ``record_names`` puts the files' names into the record; ``naming``
    and ``called`` as for ``output_paths``; ``thumbnail``: a small picture before and after lies beside the record;
    ``release`` is the folder that is given away, when results go to a folder inside of it.
    ``proposal`` is the file of the mask that a person made ``mask`` from, and ``proposed_by`` name and checksum of the model
    that made it, for the record; None where no model did, and then the model is asked all the same. For DICOM only:
    ``series`` (a UID, or the number in the listing) is the one that the mask is made on, ``deidentify_headers`` also cleans
    the headers, ``keep_private`` keeps private elements, which may show the face; ``pseudonym_key`` is the file of the key
    for pseudonyms (None: one that is made and kept in ``patients``), and ``shift_dates`` moves dates by each patient's own
    days; ``patients`` is the folder of that key and of the table of patients (None: that of the records); ``mask_seg``: the
    mask also goes beside its file as DICOM SEG. ``keep`` names files of structures that are never filled, as the shell's
    ``--keep`` (see ``cases.keep``), ``keep_names`` what the record calls them, where they do not go by ``record_names``, and
    with ``store_kept`` they also lie beside the mask.
    """

    model: str | None = None
    device: str = "cpu"
    fill: str | float = DEFAULT_FILL
    mask: str | None = None
    mask_only: bool = False
    ears: bool = False
    second_opinion: bool = True
    strict: bool = False
    overwrite: bool = False
    mirroring: bool = False
    step_size: float = 0.5
    override: dict[str, str] = field(default_factory=dict)
    by: str | None = None
    records: str | None = None
    masks: str | None = None
    report: bool = False
    picture: bool = False
    identity: bool = False
    record_names: bool = False
    naming: str = "plain"
    called: str | None = None
    thumbnail: bool = False
    release: str | None = None
    proposal: str | None = None
    proposed_by: dict | None = None
    series: str | None = None
    deidentify_headers: bool = False
    keep_private: bool = False
    pseudonym_key: str | None = None
    shift_dates: bool = False
    patients: str | None = None
    keep: tuple[str, ...] = ()
    keep_names: tuple[str, ...] = ()
    store_kept: bool = False
    mask_seg: bool = False

    def __post_init__(self) -> None:
        if self.keep_private and self.deidentify_headers:
            raise UsageError("--keep-private: --deidentify-headers removes private elements; give one of the two.")
        for option, given in (("--pseudonym-key", self.pseudonym_key), ("--shift-dates", self.shift_dates)):
            if given and not self.deidentify_headers:
                raise UsageError(f"{option}: is for cleaned headers; give --deidentify-headers too, or leave it out.")
        if self.keep and self.mask_only:
            raise UsageError("--keep: nothing is filled with --mask-only; give one of the two.")

    @property
    def model_run(self) -> ModelRun:
        """How the model is run."""
        return ModelRun(self.model, self.device, self.mirroring, self.step_size)

    def require_sound(self) -> None:
        """Raise, before anything is done, when an option is wrong, or a package for it is missing."""
        parse_fill(self.fill)
        checked_overrides(self.override)
        if self.report or self.picture:
            need_pictures()
