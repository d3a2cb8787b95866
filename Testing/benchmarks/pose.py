"""How well the head's own frame is found: heads as they are and cut at the lips, upright and turned in the image.

The corners of a turned image are filled with one value, air or padding, so that the cut through the head lies slanted in it.
The truth is the frame of the whole upright head, turned along. Exit code 1 when a bar is missed.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from common import Bar, add_data_options, bars_as_dicts, report_bars, write_csv, write_json
from gate import AIR_HU, as_volume
from sabotage import TURNS, turn_matrix, turned

# Head mm above which the image of a cut head lies: the lips.
LIPS_MM = 0.0
PADDED_HU = -2048
MOST_DEGREES, MOST_MM = 10.0, 15.0
LEAST_SHARE = 0.95
# Thinner voxels are merged: the frame is found from samples that are 6 mm apart.
VOXEL_MM = 1.5


def images(folder, names):
    """Paths of the images below ``folder`` and of those without masks beside it."""
    found = sorted([*folder.rglob("*_image.nii.gz"), *(folder.parent / "real").glob("*.nii.gz")])
    if not found:
        raise SystemExit(f"{folder}: holds no *_image.nii.gz; give --data or set CTADEFACE_CHECK_DATA.")
    return [path for path in found if names is None or path.name.removesuffix("_image.nii.gz") in names]


def coarse(path):
    """(HU (S, A, R), spacing) of an image, of voxels of 1.5 mm and more."""
    from CTADefaceLib.files.read import read_volume

    volume = read_volume(path)
    steps = [max(int(VOXEL_MM / mm + 0.01), 1) for mm in volume.geometry.ras_spacing()]
    hu = np.clip(volume.to_hu(volume.ras()[tuple(slice(None, None, n) for n in steps)]), -1024, 3071).astype(np.int16)
    return np.ascontiguousarray(hu), tuple(mm * n for mm, n in zip(volume.geometry.ras_spacing(), steps))


def moved(point, old, new, spacing, degrees):
    """RAS mm in the turned image, of shape ``new``, of a ``point`` of the image of shape ``old``."""
    middles = [(np.array(shape[::-1]) - 1) / 2 * np.array(spacing[::-1]) for shape in (old, new)]
    turn = turn_matrix(degrees)[::-1, ::-1]
    return middles[1] + turn @ (point - middles[0])


def examine(path):
    """Rows of one head."""
    from CTADefaceLib.head.atlas import NOSE_MM
    from CTADefaceLib.head.frame import angle_degrees
    from CTADefaceLib.head.pose import locate

    whole, spacing = coarse(path)
    name = path.name.removesuffix(".nii.gz").removesuffix("_image")
    true = locate(as_volume(whole, spacing))
    if true is None:
        return [{"case": name, "field": "whole", "turn": "upright", "score": None, "degrees": 180.0, "mm": 999.0}]
    lips = max(int(true.to_ras(NOSE_MM + [0, 0, LIPS_MM - NOSE_MM[2]])[2] / spacing[0]), 0)
    rows = []
    for field, first, corners in (("whole", 0, AIR_HU), ("cut at the lips", lips, AIR_HU), ("cut, padded", lips, PADDED_HU)):
        hu = whole[first:]
        nose = true.to_ras(NOSE_MM) - [0, 0, first * spacing[0]]
        for turn, degrees in TURNS.items():
            (array,) = turned([hu], [1], [corners], spacing, degrees)
            frame = locate(as_volume(array, spacing))
            row = {"case": name, "field": field, "turn": turn, "score": frame and round(frame.score, 3)}
            if frame is None:
                rows.append(row | {"degrees": 180.0, "mm": 999.0})
                continue
            expected = true.axes @ turn_matrix(degrees)[::-1, ::-1].T
            there = moved(nose, hu.shape, array.shape, spacing, degrees)
            away = np.linalg.norm(frame.to_ras(NOSE_MM) - there)
            off = angle_degrees(frame.axes @ expected.T)
            rows.append(row | {"degrees": round(off, 1), "mm": round(float(away), 1)})
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args(argv)
    with ProcessPoolExecutor(args.processes) as pool:
        rows = [row for found in pool.map(examine, images(args.data, args.cases)) for row in found]
    bars = []
    for field in dict.fromkeys(row["field"] for row in rows):
        for turn in dict.fromkeys(row["turn"] for row in rows):
            part = [row for row in rows if (row["field"], row["turn"]) == (field, turn)]
            degrees, mm = ([row[key] for row in part] for key in ("degrees", "mm"))
            print(
                f"{field:16} {turn:10} {len(part):3} heads, median {np.median(degrees):5.1f} degrees, {np.median(mm):5.1f} mm;"
                f" worst {max(degrees):5.1f}, {max(mm):5.1f}"
            )
        part = [row for row in rows if row["field"] == field]
        good = [row["degrees"] <= MOST_DEGREES and row["mm"] <= MOST_MM for row in part]
        bars.append(
            Bar(f"{field}: share within {MOST_DEGREES:g} degrees and {MOST_MM:g} mm", float(np.mean(good)), ">=", LEAST_SHARE)
        )
    for row in rows:
        if row["degrees"] > MOST_DEGREES or row["mm"] > MOST_MM:
            print("OFF", row)
    write_csv(args.output / "pose.csv", rows)
    write_json(args.output / "pose.json", {"bars": bars_as_dicts(bars)})
    return report_bars(bars)


if __name__ == "__main__":
    raise SystemExit(main())
