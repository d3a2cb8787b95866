"""A page that a person in the hospital reads: the checks, the settings, and pictures before and after.

It shows the original face and therefore lies beside the record, outside of the release folder.
"""

from __future__ import annotations

import base64
import importlib.util
from html import escape
from pathlib import Path

from ..checks.check import TITLES, number_text
from ..errors import MissingPackages
from ..files.private import open_private
from .outgoing import Outgoing

COLOURS = {"pass": "#2e7d32", "warn": "#b26a00", "fail": "#c62828", "not applicable": "#757575"}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100%; margin: 1em 0 } th, td { text-align: left; padding: .3em .6em;
border-bottom: 1px solid #ddd; vertical-align: top } td.number { text-align: right; white-space: nowrap }
.light { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .5em }
.secret { background: #fdecea; border: 1px solid #c62828; padding: .6em 1em } img { max-width: 100% }
code { font-size: 85%; overflow-wrap: anywhere }
"""


def report_path(record_path: str | Path) -> Path:
    """Where the report of a record lies: "<record>.html" beside it."""
    return Path(record_path).with_suffix(".html")


def write_report(outgoing: Outgoing, record: dict, path: Path) -> None:
    """Write the report of an ``Outgoing`` case and its ``record`` to ``path``, for the owner only.

    Raises: DeviceError without vtk or OpenGL, OSError.
    """
    from ..rendering.pictures import before_after_png, png

    volume, left = outgoing.volume, outgoing.face_picture()
    picture = before_after_png(volume.to_hu(volume.stored), volume.to_hu(outgoing.stored), volume.geometry.affine())
    page = report_page(
        record, picture, outgoing.volume.name if outgoing.scan.names else None, None if left is None else png(left)
    )
    with open_private(path, encoding="utf-8") as stream:
        stream.write(page)


def need_pictures() -> None:
    """Raise MissingPackages, before anything else is done, when a report could not be made."""
    if importlib.util.find_spec("vtk") is None:
        from ..rendering.offscreen import NO_VTK

        raise MissingPackages(NO_VTK)


def report_page(record: dict, picture: bytes, name: str | None = None, left: bytes | None = None) -> str:
    """The HTML of a record and of PNGs: before and after, and, if a head was found, what is ``left`` of its skin.

    Everything lies in one file, nothing is loaded from elsewhere.
    """
    title = "Defacing report" + (f": {name}" if name else "")
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="secret"><b>For the hospital only.</b> This page shows the original face. It must not lie in a release folder.</p>
<p>Status: <b>{escape(record["status"])}</b>, {escape(record["created"])}, CTADeface {escape(record["tool"]["version"])}</p>
{_image(picture, "Original above, defaced below; from the front and from the side")}
{_what_is_left(left)}
<h2>Checks</h2>
<table><tr><th>Check</th><th>Verdict</th><th>Number</th><th>What was seen</th></tr>{_check_rows(record)}</table>
{_overrides(record)}
<h2>Case</h2><table>{_facts(record)}</table>
</body></html>
"""


def _image(picture: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'


def _what_is_left(picture: bytes | None) -> str:
    if picture is None:
        return ""
    return (
        "<h2>Skin of the face</h2><p>The old skin from the patient's right, from the front and from the left: "
        "<b>red</b> is still there or only shaved, blue is gone, grey is no face.</p>"
        + _image(picture, "The old skin from three sides, with what is left of the face in red")
    )


def _check_rows(record: dict) -> str:
    rows = []
    for check in record["checks"]:
        light = f'<span class="light" style="background:{COLOURS[check["verdict"]]}"></span>{check["verdict"]}'
        number = escape(number_text(check["value"], check["unit"]))
        rows.append(
            f'<tr><td>{escape(TITLES[check["name"]])}</td><td>{light}</td><td class="number">{number}</td>'
            f"<td>{escape(check['text'])}</td></tr>"
        )
    return "\n".join(rows)


def _overrides(record: dict) -> str:
    if not record["overrides"]:
        return ""
    rows = "".join(
        f"<tr><td>{escape(o['check'])}</td><td>{escape(o['reason'])}</td><td>{escape(o['by'])}</td></tr>"
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
