"""What a person in the hospital looks at: a picture before and after, and a page with checks, settings and more pictures.

Both show the original face and therefore lie beside the record, outside of the release folder.
"""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..checks.check import FAIL, PASS, SKIP, TITLES, WARN, number_text
from ..errors import MissingPackages
from ..files.png import png_bytes
from ..files.storage.private import open_private
from .hospital_folder import RECORD
from .outgoing import Outgoing

COLOURS = {PASS: "#2e7d32", WARN: "#b26a00", FAIL: "#c62828", SKIP: "#757575"}
# What a person should see first.
ORDER = (FAIL, WARN, SKIP, PASS)
SAID = {FAIL: "failed", WARN: "with a warning", SKIP: "not applicable", PASS: "passed"}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100%; margin: 1em 0 } th, td { text-align: left; padding: .3em .6em;
border-bottom: 1px solid #ddd; vertical-align: top } td.number { text-align: right; white-space: nowrap }
td.verdict { white-space: nowrap } td.limit { font-size: 85%; color: #555 }
.light { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .5em }
.secret { background: #fdecea; border: 1px solid #c62828; padding: .6em 1em } img { max-width: 100% }
.slices { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1em } figure { margin: 0 } figure img { width: 100% }
figcaption { font-size: 85%; color: #555 } code { font-size: 85%; overflow-wrap: anywhere }
"""


def report_path(record_path: str | Path) -> Path:
    """Where the report of a record lies: "<record>.html" beside it."""
    return Path(record_path).with_suffix(".html")


def picture_path(record_path: str | Path) -> Path:
    """Where the picture of a record lies: for "head_record_2.json", "head_before_after_2.png" beside it."""
    path = Path(record_path)
    name, mark, number = path.stem.rpartition(RECORD)
    return path.with_name(f"{name}_before_after{number}.png" if mark else f"{path.stem}_before_after.png")


def before_after(outgoing: Outgoing) -> bytes:
    """PNG of an ``Outgoing`` case: original above, defaced below, from the front and the side. Raises: DeviceError."""
    from ..rendering.pictures import before_after_png

    volume = outgoing.volume
    return before_after_png(volume.to_hu(volume.stored), volume.to_hu(outgoing.stored), volume.geometry.affine())


def write_picture(picture: bytes, path: Path) -> None:
    """Write the PNG of ``before_after`` to ``path``, for the owner only. Raises: OSError."""
    with open_private(path, "wb") as stream:
        stream.write(picture)


def write_report(outgoing: Outgoing, record: dict, picture: bytes, path: Path) -> None:
    """Write the report of an ``Outgoing`` case, its ``record`` and its ``picture`` before and after to ``path``, for the
    owner only.

    Raises: OSError.
    """
    from ..rendering.slices import slice_pairs

    volume, left = outgoing.volume, outgoing.face_picture()
    slices = [(pair.caption, png_bytes(pair.picture)) for pair in slice_pairs(volume, outgoing.mask, outgoing.stored)]
    name = volume.name if outgoing.scan.names else None
    page = report_page(record, picture, name, None if left is None else png_bytes(left), slices)
    with open_private(path, encoding="utf-8") as stream:
        stream.write(page)


def need_pictures() -> None:
    """Raise MissingPackages, before anything else is done, when a report or a picture could not be made."""
    if importlib.util.find_spec("vtk") is None:
        from ..rendering.offscreen import NO_VTK

        raise MissingPackages(NO_VTK)


def report_page(
    record: dict,
    picture: bytes,
    name: str | None = None,
    left: bytes | None = None,
    slices: Sequence[tuple[str, bytes]] = (),
) -> str:
    """The HTML of a record and of PNGs: before and after; if a head was found, what is ``left`` of its skin; and ``slices``
    with their captions.

    Everything lies in one file, nothing is loaded from elsewhere.
    """
    title = "Defacing report" + (f": {name}" if name else "")
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="secret"><b>For the hospital only.</b> This page shows the original face. It must not lie in a release folder.</p>
<p>Status: <b>{escape(record["status"])}</b>, {escape(record["created"])}, CTADeface {escape(record["tool"]["version"])}.
Checks: {escape(_counted(record["checks"]))}.</p>
{_checks("Checks to look at", record["checks"], (FAIL, WARN, SKIP))}
{_overrides(record)}
<h2>Before and after</h2>
{_image(picture, "Original above, defaced below; from the front and from the side")}
{_slices(slices)}
{_what_is_left(left)}
{_checks("Checks that passed", record["checks"], (PASS,))}
<h2>Case</h2><table>{_facts(record)}</table>
</body></html>
"""


def _counted(checks: list[dict]) -> str:
    """How many checks have which verdict, the gravest first."""
    verdicts = [check["verdict"] for check in checks]
    return ", ".join(f"{verdicts.count(verdict)} {SAID[verdict]}" for verdict in ORDER if verdict in verdicts)


def _image(picture: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'


def _slices(slices: Sequence[tuple[str, bytes]]) -> str:
    if not slices:
        return ""
    figures = "\n".join(
        f"<figure>{_image(picture, caption)}<figcaption>{escape(caption)}</figcaption></figure>" for caption, picture in slices
    )
    return (
        "<h2>Slices</h2><p>Original above, defaced below, with the mask's outline in yellow (center 40 HU, width 400 HU). "
        "Axial slices as seen from the feet: the patient's right is on the left of the picture. "
        f'Sagittal slices look to the left of the picture.</p>\n<div class="slices">\n{figures}\n</div>'
    )


def _what_is_left(picture: bytes | None) -> str:
    if picture is None:
        return ""
    return (
        "<h2>Skin of the face</h2><p>The old skin from the patient's right, from the front and from the left: "
        "<b>red</b> is still there or only shaved, blue is gone, grey is no face.</p>"
        + _image(picture, "The old skin from three sides, with what is left of the face in red")
    )


def _checks(title: str, checks: list[dict], verdicts: Sequence[str]) -> str:
    """A table of the checks with one of these verdicts, in the order of the verdicts; nothing where there are none."""
    rows = [_check_row(check) for verdict in verdicts for check in checks if check["verdict"] == verdict]
    if not rows:
        return ""
    heads = "".join(f"<th>{head}</th>" for head in ("Check", "Verdict", "Number", "Limit", "What was seen"))
    return f"<h2>{title}</h2>\n<table><tr>{heads}</tr>\n" + "\n".join(rows) + "</table>"


def _check_row(check: dict) -> str:
    light = f'<span class="light" style="background:{COLOURS[check["verdict"]]}"></span>{check["verdict"]}'
    number = escape(number_text(check["value"], check["unit"]))
    # Records of earlier versions have no limits.
    limit = escape(check.get("limit") or "")
    return (
        f'<tr><td>{escape(TITLES[check["name"]])}</td><td class="verdict">{light}</td><td class="number">{number}</td>'
        f'<td class="limit">{limit}</td><td>{escape(check["text"])}</td></tr>'
    )


def _overrides(record: dict) -> str:
    if not record["overrides"]:
        return ""
    rows = "".join(
        f"<tr><td>{escape(TITLES[o['check']])}</td><td>{escape(o['reason'])}</td><td>{escape(o['by'])}</td></tr>"
        for o in record["overrides"]
    )
    return f"<h2>Overridden</h2><table><tr><th>Check</th><th>Reason</th><th>By</th></tr>{rows}</table>"


def _kept(kept: dict | None) -> str:
    if kept is None:
        return "nothing"
    names = ", ".join(f"{one['name']} ({one['ml']:.1f} ml)" for one in kept["structures"])
    return f"{names}: {kept['spared_ml']:.1f} ml of the mask were not filled"


def _facts(record: dict) -> str:
    model, edits = record["model"], record["mask"]["edits"]
    facts = {
        "Model": f"{model['name']}, SHA-256 {model['sha256']}" if model else "none: the mask was given",
        "Fill": f"{record['settings']['fill']}, {record['settings']['fill_hu']:g} HU",
        "Mask": f"{record['mask']['ml']:.1f} ml, {record['mask']['voxels']} voxels",
        "Kept": _kept(record.get("kept")),
        "Edited by a person": "not known"
        if edits is None
        else "no"
        if not edits["edited"]
        else f"yes: {edits['added_voxels']} voxels added, {edits['removed_voxels']} removed, Dice {edits['dice']:.3f}",
        "Voxels changed": record["output"]["changed_voxels"],
        "Voxels": " x ".join(map(str, record["input"]["voxels"])) + f", {record['input']['dtype']}",
        "Spacing": " x ".join(f"{s:.3g}" for s in record["input"]["spacing_mm"]) + " mm",
        "SHA-256 of the voxels, original": record["input"]["voxels_sha256"],
        "SHA-256 of the voxels, defaced": record["output"]["voxels_sha256"],
        "Time": ", ".join(f"{stage} {s:.1f} s" for stage, s in record["seconds"].items()),
    }
    return "".join(
        f"<tr><th>{escape(key)}</th><td><code>{escape(str(value))}</code></td></tr>" for key, value in facts.items()
    )
