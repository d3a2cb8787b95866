"""One input file to its output files, and what is said about it."""

import time
from dataclasses import asdict, dataclass, field

from . import fill as filling
from .files.check import check_ct
from .files.read import read_volume
from .files.write import output_paths, publishing, refuse_existing, write_like, write_mask
from .memory import memory_warning
from .pipeline import face_mask, load_model, mask_millilitres, mask_on_grid, preload_model, require_face
from .progress import Progress


@dataclass(frozen=True)
class Options:
    """How a case is run; the same names as the shell's options."""

    model: str | None = None
    device: str = "cpu"
    fill: str | float = filling.DEFAULT_FILL
    mask: str | None = None
    mask_only: bool = False
    overwrite: bool = False
    mirroring: bool = False
    step_size: float = 0.5


@dataclass
class Result:
    """What became of one input; ``seconds`` in all and by stage, ``fill_hu`` in HU, volumes in ml."""

    input: str
    status: str = "failed"
    defaced: str | None = None
    mask: str | None = None
    model: str | None = None
    device: str | None = None
    fill: str | None = None
    fill_hu: float | None = None
    mask_ml: float | None = None
    seconds: float = 0.0
    stages: dict = field(default_factory=dict)
    error: str | None = None

    def as_dict(self):
        return asdict(self)


def deface_file(path, folder, options=Options(), progress=None, warn=lambda text: None):
    """Deface one volume file into ``folder``.

    Parameters: ``warn`` is called with each one-sentence warning.
    Returns: ``Result``. Raises: every ``CTADefaceError``; then nothing was written.
    """
    started = time.monotonic()
    progress = progress or Progress()
    filling.parse_fill(options.fill)
    paths = output_paths(path, folder)
    wanted = paths[1:] if options.mask_only else paths
    refuse_existing(wanted, options.overwrite)
    progress.enter("read")
    if options.mask is None:
        # Python's imports and zlib's decompression use a core each.
        preload_model(options.model)
    volume = read_volume(path)
    warning = memory_warning(volume)
    if warning:
        warn(warning)
    mask = _find_mask(volume, options, progress)
    result = Result(str(path), model=options.mask or _model_name(options), device=_device_name(options))
    result.mask_ml = round(mask_millilitres(mask, volume.geometry), 2)
    _write(volume, mask, wanted, options, progress, result)
    progress.finish()
    result.status = "mask only" if options.mask_only else "defaced"
    result.mask = str(paths[1])
    result.stages = {stage: round(s, 3) for stage, s in progress.seconds.items()}
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _model_name(options):
    return load_model(options.model).info.name


def _device_name(options):
    if options.mask is not None:
        return None
    from .segment.face import resolve_device

    return resolve_device(options.device).type


def _find_mask(volume, options, progress):
    if options.mask is None:
        mask = face_mask(volume, options.model, options.device, options.mirroring, options.step_size, progress)
        require_face(mask, volume)
        return mask
    check_ct(volume)
    return mask_on_grid(read_volume(options.mask), volume)


def _write(volume, mask, wanted, options, progress, result):
    defaced = None
    if not options.mask_only:
        progress.enter("fill")
        defaced, value = filling.filled(volume, mask, options.fill)
        result.fill, result.fill_hu = str(options.fill), round(float(value) * volume.slope + volume.intercept, 2)
    progress.enter("write")
    with publishing(wanted, options.overwrite) as staged:
        if defaced is not None:
            write_like(volume, defaced, staged[0], progress.part(0, 0.8))
            result.defaced = str(wanted[0])
        write_mask(volume, mask, staged[-1], progress.part(0.8, 1))
