"""The command ``cta-deface``: run, batch, series, models, demo, identity, train, validate."""

import argparse
import json
import os
import sys
from pathlib import Path

from . import __version__
from .batch.command import add_batch
from .dicom.command import add_series, grouped, is_study
from .errors import CTADefaceError
from .identity.command import add_identity
from .segment.models import begin_apart, keep_apart
from .training.command import add_train
from .validation.command import add_validate

DEVICES = ("auto", "cpu", "cuda", "mps")


def build_parser():
    parser = argparse.ArgumentParser(prog="cta-deface", description="Remove the face from head CT volumes.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    add_batch(commands)
    add_series(commands)
    _add_models(commands)
    _add_demo(commands)
    add_identity(commands)
    add_train(commands)
    add_validate(commands)
    return parser


def _add_run(commands):
    run = commands.add_parser("run", help="deface volume files and DICOM studies")
    run.add_argument("inputs", nargs="+", metavar="INPUT",
                     help=".nii, .nii.gz, .nrrd or .mha in HU; a folder of a DICOM study, or DICOM files")
    run.add_argument("-o", "--output", required=True, metavar="DIR",
                     help="folder of the defaced volumes, which is given away")
    run.add_argument("--mask", metavar="FILE", help="use this mask instead of a model (one INPUT only)")
    run.add_argument("--no-second-opinion", dest="second_opinion", action="store_false",
                     help="with --mask: the checks do not ask the model what it calls face")
    run.add_argument("--mask-only", action="store_true",
                     help="write only the face mask, to --output: nothing is given away then")
    run.add_argument("--series", metavar="UID|NUMBER",
                     help="DICOM: make the mask on this series (default: the best CT of the head); see cta-deface series")
    run.add_argument("--deidentify-headers", action="store_true",
                     help="DICOM: also clean the headers (Basic Profile of PS3.15, by the package dicom-anonymizer)")
    add_private_option(run)
    add_engine_options(run)
    run.set_defaults(action=run_command)


def add_private_option(parser):
    parser.add_argument("--keep-private", action="store_true",
                        help="DICOM: keep private elements, which may hold the face in another form; the files then do "
                             "not claim that it is gone")


def add_engine_options(parser):
    parser.add_argument("--model", metavar="NAME|FOLDER", help="installed model or model folder (default: bundled)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="default: cpu")
    parser.add_argument("--fill", default="levelled", metavar="levelled|percentile|published|air|NUMBER",
                        help="default levelled: also what lies in front of the face, so that the skin cannot be found "
                             "again; the others are reversible: 10th percentile without padding, exactly as published, "
                             "-1000 HU, or HU")
    parser.add_argument("--ears", action="store_true", help="also remove both ears, down to the sides of the head")
    parser.add_argument("--mirroring", action="store_true", help="test-time mirroring: slower, slightly smoother")
    parser.add_argument("--step-size", type=float, default=0.5, help="sliding window step in patches (default 0.5)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--override", action="append", default=[], metavar="CHECK=REASON",
                        help="let a failed check pass; the reason goes into the record")
    parser.add_argument("--by", metavar="NAME", help="who overrides (default: the user of this computer)")
    parser.add_argument("--records", metavar="DIR", help="folder of the records, outside of the results' folder "
                                                         "(default: beside it, <DIR>-hospital-only)")
    parser.add_argument("--masks", metavar="DIR", help="folder of the masks, which show the face, outside of the results' "
                                                       "folder (default: that of the records)")
    parser.add_argument("--record-names", action="store_true", help="keep file names in the record")
    parser.add_argument("--identity", action="store_true", help="also check face detection and recognition (slow; optional "
                                                                "packages, see cta-deface identity)")
    parser.add_argument("--report", action="store_true", help="a report with pictures beside the record (needs vtk)")
    parser.add_argument("--json", action="store_true", help="one JSON object per result on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _add_models(commands):
    models = commands.add_parser("models", help="list, install or remove models").add_subparsers(required=True)
    listing = models.add_parser("list", help="bundled and installed models")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(action=list_models_command)
    install = models.add_parser("install", help="add an nnU-Net v2 face model from a folder or zip")
    install.add_argument("path", metavar="FOLDER|ZIP")
    install.add_argument("--name")
    install.add_argument("--overwrite", action="store_true", help="replace an installed model of that name")
    install.set_defaults(action=install_model_command)
    remove = models.add_parser("remove", help="delete an installed model")
    remove.add_argument("name")
    remove.set_defaults(action=remove_model_command)


def _add_demo(commands):
    demo = commands.add_parser("demo", help="deface one head and draw it before and after")
    demo.add_argument("input", nargs="?", metavar="INPUT", help="default: the public InVesalius cranium CT")
    demo.add_argument("-o", "--output", default="cta-deface-demo", metavar="DIR")
    add_engine_options(demo)
    demo.set_defaults(action=demo_command)


def options_of(args):
    from .case import Options
    from .fill import parse_fill

    return Options(model=args.model, device=args.device, fill=parse_fill(args.fill), mask=getattr(args, "mask", None),
                   mask_only=getattr(args, "mask_only", False), ears=args.ears,
                   second_opinion=getattr(args, "second_opinion", True), overwrite=args.overwrite, mirroring=args.mirroring,
                   step_size=_step_size(args.step_size), override=_overrides(args.override), by=args.by,
                   records=args.records, masks=args.masks, report=args.report, identity=args.identity,
                   record_names=args.record_names, series=getattr(args, "series", None),
                   deidentify_headers=getattr(args, "deidentify_headers", False),
                   keep_private=getattr(args, "keep_private", False))


def _overrides(given):
    """Check -> reason from the shell's CHECK=REASON."""
    from .checks.check import checked_overrides

    pairs = [text.partition("=") for text in given]
    if any(not sign for _name, sign, _reason in pairs):
        raise CTADefaceError("--override: give CHECK=REASON, as in --override chin='outside the field of view'.")
    return checked_overrides({name.strip(): reason.strip() for name, _sign, reason in pairs})


def _step_size(value):
    if not 0 < value <= 1:
        raise CTADefaceError(f"--step-size {value}: must be above 0 and at most 1.")
    return value


def run_command(args):
    """Exit code 0 only when every input was defaced; a bad input never stops the others."""
    sources = grouped(args.inputs)
    if args.mask is None:
        # Before anything else is imported: the process needs longer to load torch than this one to read a scan.
        begin_apart(args.model, len(sources))
    from .files.publish import output_paths

    options = options_of(args)
    if options.mask is not None and len(sources) > 1:
        raise CTADefaceError("--mask: belongs to one volume; give one INPUT.")
    if options.override and len(sources) > 1:
        raise CTADefaceError("--override: a reason was given for one case that somebody has seen; give one INPUT.")
    if options.mask is not None and options.mask_only:
        raise CTADefaceError("--mask-only: asks for a mask that --mask already gives; use one of the two.")
    taken, failures = {}, 0
    for source in sources:
        results = _run_study(source, args, options, taken) if is_study(source) else [
            _run_one(source, args, options, taken, output_paths)]
        for result in results:
            print_result(result, args.json)
            failures += result.error is not None
    return 1 if failures else 0


def _run_one(path, args, options, taken, output_paths):
    from .case import deface_file

    def work(progress, warn):
        target = output_paths(path, args.output)[0]
        if target in taken:
            raise CTADefaceError(f"{path}: would be written to the same file as {taken[target]}; run them apart.")
        taken[target] = path
        return [deface_file(path, args.output, options, progress, warn)]

    return _guarded(path, args, work)[0]


def _run_study(source, args, options, taken):
    """The ``Result``s of a DICOM source; of several in one release folder the series' numbers would be the same."""
    from .dicom.case import deface_dicom

    def work(progress, warn):
        if "study" in taken:
            raise CTADefaceError(f"{name}: series of two DICOM folders would get the same names; "
                                 "give each its own --output.")
        taken["study"] = name
        return deface_dicom(source, args.output, options, progress, warn)

    name = source[0] if isinstance(source, list) else source
    return _guarded(name, args, work)


def _guarded(path, args, work):
    """What ``work(progress, warn)`` returns, or one ``Result`` that says what went wrong."""
    from .case import failure

    bar = ProgressBar(Path(path).name, args.quiet)
    try:
        return work(bar.progress, lambda text: print(text, file=sys.stderr))
    except Exception as error:
        return [failure(path, error)]
    finally:
        bar.close()


def print_result(result, as_json):
    if as_json:
        line = json.dumps(result.as_dict())
    elif result.status == "blocked":
        line = f"BLOCKED {result.error} Record: {result.record}"
    elif result.error:
        line = f"FAILED {result.error}"
    elif result.reason:
        line = f"{result.input}: {result.status}: {result.reason}"
    else:
        how = f"face {result.mask_ml:.0f} ml, {result.given_mask or result.model}"
        how += f", {result.device}" if result.device else ""
        line = f"{result.input}: {result.status} -> {result.defaced or result.mask} ({how}, {result.seconds:.1f} s)"
    print(line, flush=True)


class ProgressBar:
    """tqdm on stderr, fed by a ``Progress``."""

    def __init__(self, name, quiet, stages=None):
        from tqdm import tqdm

        from .progress import Progress

        self._bar = tqdm(total=100, desc=name, disable=quiet, file=sys.stderr,
                         bar_format="{desc}: {percentage:3.0f}%|{bar}| {postfix}")
        self.progress = Progress(self.show, stages)

    def show(self, report):
        left = "" if report.seconds_left is None else f", {report.seconds_left:.0f} s left"
        self._bar.set_postfix_str(report.stage + left, refresh=False)
        self._bar.update(report.fraction * 100 - self._bar.n)

    def close(self):
        self._bar.close()


def list_models_command(args):
    from .model.store import list_models

    for info in list_models():
        if args.json:
            print(json.dumps({"name": info.name, "origin": info.origin, "folder": str(info.folder),
                              "problem": info.problem, "spacing_mm": info.spacing, "folds": info.folds}))
        elif info.problem:
            print(f"{info.name}\t{info.origin}\tunusable: {info.problem}")
        else:
            print(f"{info.name}\t{info.origin}\t{' x '.join(f'{s:g}' for s in info.spacing)} mm\t{info.folder}")
    return 0


def install_model_command(args):
    from .model.store import install_model

    info = install_model(args.path, args.name, args.overwrite)
    print(f"{info.name}: installed in {info.folder}")
    return 0


def remove_model_command(args):
    from .model.store import remove_model

    remove_model(args.name)
    print(f"{args.name}: removed")
    return 0


def demo_command(args):
    """Deface one head, the public one by default, and draw it before and after."""
    from .files.publish import output_paths, refuse_existing
    from .files.read import split_extension
    from .records.report import need_pictures

    path = Path(args.input) if args.input else _public_head()
    # Apart, so that nothing that shows the original face is ever in the folder that is given away.
    hospital = Path(args.records or Path(args.output) / "hospital-only")
    picture = hospital / f"{split_extension(path)[0]}_before_after.png"
    args.output, args.records = str(Path(args.output) / "release"), str(hospital)
    need_pictures()
    refuse_existing([picture], args.overwrite)
    result = _run_one(path, args, options_of(args), {}, output_paths)
    print_result(result, args.json)
    if not result.defaced:
        return 1
    # Before the picture, which may fail: what is released must be known to be.
    print(f"face mask: {result.mask}\nrecord: {result.record}", flush=True)
    _draw(path, result.defaced, picture, args.overwrite)
    print(f"before and after (shows the original face, not for release): {picture}")
    return 1 if result.error else 0


def _public_head():
    from .demo import LICENCE, public_head

    print(f"Example: {LICENCE}", file=sys.stderr)
    return public_head()


def _draw(original, defaced, picture, overwrite):
    from .files.private import private_folder
    from .files.read import read_volume
    from .render import before_after_picture

    private_folder(picture.parent, Path(defaced).parent)
    before, after = read_volume(original), read_volume(defaced)
    before_after_picture(before.to_hu(before.stored), after.to_hu(after.stored), before.geometry.affine(), picture,
                         overwrite=overwrite)


def main(argv=None):
    """Entry point; returns the exit code: 0 done, 1 a case or command failed, 130 stopped by Ctrl-C."""
    args = build_parser().parse_args(argv)
    try:
        return args.action(args)
    except CTADefaceError as error:
        print(f"cta-deface: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cta-deface: stopped; the case under way was not written.", file=sys.stderr)
        return 130


def command():
    """The process of ``main``. For ``run`` networks have one of their own, and Python is not taken apart at the end."""
    # numpy's own threads: every core has planes of its own already, and more for a small matrix only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] != ["run"]:
        sys.exit(main())
    keep_apart()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
