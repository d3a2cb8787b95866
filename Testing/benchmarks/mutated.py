"""Does a damaged or absurd input ever hang, fill the memory, end in an unexpected error, or pass as something else?

Mutated files of the synthetic head (see ``mutations.py``) go through the engine's own ``deface_file`` and
``deface_dicom`` with a mask given, each in limited time, in processes of their own. Counted are clean refusals (one
sentence), accepted inputs whose voxels and grid are the original's or what an independent reader finds in the file
(nibabel, SimpleITK, pydicom), and what must not be. Exit code 1 when a bar is missed.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from common import Bar, bars_as_dicts, report_bars, write_json
from mutations import cases, write_originals

LEAST_CASES = 500
SECONDS_EACH = 20.0
# What the interpreter, zlib's state, blocks of reading, and the search for the head take, whatever the file.
FIXED_BYTES = 96 * 2**20
MOST_MEMORY = 6 * 2**30
REFUSED, SAME, AS_READ, WRONG, UNEXPECTED, HANG = (
    "refused",
    "accepted, the original",
    "accepted, as others read it",
    "wrong accept",
    "unexpected",
    "hang",
)


def deface(path, kind, folder, originals):
    """Run the engine on an input; the message of its refusal, or None."""
    from CTADefaceLib.cases.options import Options
    from CTADefaceLib.cases.volume_file import deface_file
    from CTADefaceLib.dicom.deface_study import deface_dicom, require_defaced
    from CTADefaceLib.errors import CTADefaceError

    override = {name: "trial" for name in OVERRIDDEN}
    try:
        if kind == "dicom":
            options = Options(mask=str(originals / "dicom_face.nii.gz"), override=override, by="trial", second_opinion=False)
            require_defaced(deface_dicom(path, folder / "release", options), path.name, override)
        else:
            options = Options(
                mask=str(originals / "face.nii.gz"),
                override=override,
                by="trial",
                second_opinion=False,
                masks=str(folder / "masks"),
            )
            deface_file(path, folder / "release", options)
    except CTADefaceError as error:
        return str(error)
    return None


# What the synthetic head fails, which has no face to speak of.
OVERRIDDEN = (
    "forehead",
    "nose",
    "mouth",
    "chin",
    "residual_skin",
    "mask_size",
    "mask_place",
    "field_of_view",
    "vessels",
    "already_defaced",
    "bone",
    "brain",
)


def engine_reads(path, kind):
    """The ``Volume`` that the engine reads, CT or not."""
    if kind == "dicom":
        from CTADefaceLib.dicom.reading.read_series import read_stack
        from CTADefaceLib.dicom.reading.series import find_series
        from CTADefaceLib.dicom.study import plan_study

        plan = plan_study(find_series(path).series)
        return read_stack(plan.stacks[plan.candidates[0].number], "trial")
    from CTADefaceLib.files.read import read_volume

    return read_volume(path)


def others_read(path, kind):
    """(HU (k, j, i), 4x4 matrix to RAS mm) by another program; raises anything."""
    if kind == "nifti":
        import nibabel

        image = nibabel.load(path)
        unit = {"meter": 1000.0, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1.0)
        data = np.asanyarray(image.dataobj)
        return data.reshape(data.shape[:3]).T, np.diag([unit] * 3 + [1]) @ image.affine
    if kind == "dicom":
        return pydicom_reads(path.iterdir())
    import SimpleITK as sitk

    from CTADefaceLib.voxels.volume import Geometry

    image = sitk.ReadImage(str(path))
    return sitk.GetArrayFromImage(image), Geometry.from_image(image).affine()


def pydicom_reads(paths):
    import pydicom

    slices = []
    for path in sorted(paths):
        dataset = pydicom.dcmread(path, force=True)
        if "PerFrameFunctionalGroupsSequence" in dataset:
            shared = dataset.SharedFunctionalGroupsSequence[0]
            scale = shared.PixelValueTransformationSequence[0]
            slices += [
                (
                    frame.PlanePositionSequence[0],
                    shared.PlaneOrientationSequence[0],
                    shared.PixelMeasuresSequence[0],
                    pixels * float(scale.RescaleSlope) + float(scale.RescaleIntercept),
                )
                for frame, pixels in zip(dataset.PerFrameFunctionalGroupsSequence, dataset.pixel_array)
            ]
        else:
            slices.append(
                (
                    dataset,
                    dataset,
                    dataset,
                    dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept),
                )
            )
    row, column = np.array(slices[0][1].ImageOrientationPatient, float).reshape(2, 3)
    slices.sort(key=lambda s: float(np.dot(np.array(s[0].ImagePositionPatient, float), np.cross(row, column))))
    places = np.array([s[0].ImagePositionPatient for s in slices], float)
    down, across = np.array(slices[0][2].PixelSpacing, float)
    matrix = np.eye(4)
    matrix[:3] = np.stack([row * across, column * down, (places[-1] - places[0]) / (len(places) - 1), places[0]], axis=1)
    return np.stack([s[3] for s in slices]), np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def same(volume, hu, matrix):
    found = volume.stored.astype(np.float64) * volume.slope + volume.intercept
    return (
        found.shape == hu.shape
        and np.allclose(found, hu, rtol=1e-5, atol=1e-2, equal_nan=True)
        and np.allclose(volume.geometry.affine(), matrix, rtol=1e-5, atol=1e-3)
    )


def judge(path, kind, originals, checked):
    """What an input is that the engine reads: SAME, AS_READ, WRONG, or None when the engine does not read it."""
    from CTADefaceLib.errors import CTADefaceError

    try:
        volume = engine_reads(path, kind)
    except CTADefaceError:
        return None
    original = (originals / "dicom", "dicom") if kind == "dicom" else (originals / "head.nii", "nifti")
    if same(volume, *others_read(*original)):
        return SAME
    try:
        # Voxels with a checksum are the original's or nothing; of a header, nobody can know what it was.
        original = others_read(originals / "head.nii", "nifti")[0].tobytes()
        # In another type or byte order, if the header says so.
        if checked and original not in (volume.stored.tobytes(), volume.stored.byteswap().tobytes()):
            return WRONG
        # A file whose damage makes it a series of its own is listed as such, and not defaced.
        other = pydicom_reads({plane.path for plane in volume.source.planes}) if kind == "dicom" else others_read(path, kind)
        return AS_READ if same(volume, *other) else WRONG
    except Exception:
        return WRONG


def work(pipe, log):
    """A child: runs inputs and answers with the outcome, bytes of memory and whether anything was printed."""
    import resource

    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    while (job := pipe.recv()) is not None:
        path, kind, folder, originals, checked = job
        base, printed = reset_peak(), os.path.getsize(log)
        try:
            message = deface(path, kind, folder, originals)
            memory = peak() - base
            noise = os.path.getsize(log) - printed
            found = judge(path, kind, originals, checked)
            outcome = WRONG if found == WRONG else found if message is None else REFUSED
            if outcome is None or (outcome == REFUSED and not is_sentence(message)):
                outcome = UNEXPECTED
        except Exception as error:
            import traceback

            outcome, memory, noise = UNEXPECTED, peak() - base, 0
            message = f"{type(error).__name__}: {error} " + traceback.format_exc()[-600:]
        pipe.send((outcome, message, memory, noise))


def is_sentence(message):
    return ("unexpected" not in message and "\n" not in message and message.endswith(".") and ";" in message) or (
        "use cta-deface batch" in message or "run: pip install" in message
    )


def reset_peak():
    """Bytes in memory now; the kernel's mark of the highest is set to that."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_line("VmRSS")


def peak():
    return memory_line("VmHWM")


def memory_line(name):
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


class Worker:
    """A child process that can be given up."""

    def __init__(self, folder):
        self._folder, self._count = folder, 0
        self._start()

    def _start(self):
        self._count += 1
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._log = self._folder.with_suffix(f".{self._count}.log")
        self._process = context.Process(target=work, args=(theirs, str(self._log)), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, job):
        """(outcome, message, bytes, bytes printed, seconds)."""
        started = time.monotonic()
        self._pipe.send(job)
        try:
            answer = self._pipe.recv() if self._pipe.poll(SECONDS_EACH) else (HANG, "no answer", 0, 0)
        except EOFError:
            answer = UNEXPECTED, f"the process died ({self._process.exitcode})", 0, 0
        if answer[0] == HANG or (answer[1] and answer[1].startswith("the process died")):
            self._process.kill()
            self._process.join()
            self._start()
        return *answer, time.monotonic() - started

    def close(self):
        self._pipe.send(None)
        self._process.join()


def trial(chosen, folder, originals, declared):
    """Rows of the outcome of each case."""
    worker = Worker(folder / "worker")
    # The first of each kind pays for the imports.
    for name, kind in (
        ("head.nii.gz", "nifti"),
        ("raw.mha", "mha"),
        ("raw.nrrd", "nrrd"),
        ("dicom", "dicom"),
        ("rle", "dicom"),
    ):
        out = folder / "warm" / name
        out.mkdir(parents=True)
        outcome, message, *_ = worker.ask((originals / name, kind, out, originals, False))
        if message is not None or outcome not in (SAME, AS_READ):
            raise SystemExit(f"{name}: the original is not accepted ({outcome}: {message}).")
    rows = []
    for number, case in enumerate(chosen):
        place = folder / f"case_{number}"
        (place / "in").mkdir(parents=True)
        path = case.write(place / "in")
        outcome, message, memory, printed, seconds = worker.ask((path, case.kind, place, originals, case.checked))
        rows.append(
            {
                "case": case.name,
                "kind": case.kind,
                "outcome": outcome,
                "message": message,
                "mb": memory / 2**20,
                "printed": printed,
                "seconds": round(seconds, 2),
                "too much": memory > 2 * declared[case.kind] + FIXED_BYTES,
                "defaced": message is None,
            }
        )
        if outcome in (WRONG, UNEXPECTED, HANG) or rows[-1]["too much"] or printed:
            print(json.dumps(rows[-1]), flush=True)
        shutil.rmtree(place)
    worker.close()
    return rows


def bars_of(rows):
    counts = Counter(row["outcome"] for row in rows)
    zero = [
        Bar(what, value, "<=", 0)
        for what, value in (
            ("wrong accepts", counts[WRONG]),
            ("unexpected errors", counts[UNEXPECTED]),
            ("hangs", counts[HANG]),
            ("inputs that took more than twice the head's memory", sum(row["too much"] for row in rows)),
            ("inputs for which something else was printed", sum(row["printed"] > 0 for row in rows)),
        )
    ]
    return zero


def run(originals, folder, seed, every=1, only=""):
    """Rows of every ``every``-th case with ``only`` in its name."""
    write_originals(originals)
    declared = {kind: 64 * 80 * 80 * 2 for kind in ("nifti", "nrrd", "mha")} | {"dicom": 64 * 80 * 40 * 2}
    chosen = [case for case in cases(originals, seed) if only in case.name][::every]
    return trial(chosen, folder, originals, declared)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th case")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        originals = Path(folder) / "originals"
        originals.mkdir()
        rows = run(originals, Path(folder), args.seed, args.every, args.only)
    for kind in dict.fromkeys(row["kind"] for row in rows):
        counts = Counter(row["outcome"] for row in rows if row["kind"] == kind)
        print(f"{kind}: {sum(counts.values())} inputs: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    bars = bars_of(rows)
    if args.every == 1 and not args.only:
        bars.append(Bar("inputs", len(rows), ">=", LEAST_CASES))
    code = report_bars(bars)
    write_json(args.output / "mutated.json", {"seed": args.seed, "cases": rows, "bars": bars_as_dicts(bars)})
    return code


if __name__ == "__main__":
    sys.exit(main())
