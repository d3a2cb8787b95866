"""How much of the ears goes with "ears too", and how much else: heads upright and turned.

The reference knows nothing of the engine's surface: each axial and each coronal slice of 1 mm of the head, with its gaps
closed, is opened with a disc of 25 mm, which cannot enter an ear; the axial slices of 25 mm agree about the head's border.
What stands out of it by more than 2 mm where an ear can stand, in pieces of 0.2 ml and more, is pinna; the opened head is
what both keep. Tissue within the opened head is other tissue. Between the two lies a layer of 2 mm in which two good
contours of one head differ; what goes of it is told too. An ear is judged when nine tenths of its place lie in the image and
it has 1 ml at least. ``--pictures FOLDER`` draws the slices: they show the head, so never inside of the repository. Exit
code 1 when a bar is missed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from common import Bar, add_data_options, add_run_options, bars_as_dicts, find_cases, report_bars, write_csv, write_json
from gate import as_volume, upright
from sabotage import turned

TURNS = {"upright": (0, 0, 0), "yaw 30": (30, 0, 0), "pitch -30": (0, 0, -30), "pitch 20": (0, 0, 20), "roll 25": (0, 25, 0)}
TISSUE_HU = -300
LEAST_REMOVED, MOST_OTHER_ML = 0.99, 2.0
# Head mm of the reference's slices: superior, anterior, lateral.
LOW, HIGH = np.array([-42, -205, 0]), np.array([62, -45, 119])
DISC_MM, CLOSING_MM, STANDS_OUT_MM = 25.0, 8.0, 2.0
HANGS_MM = 8.0
# Slices of this much of the head are asked together: as far as the disc reaches.
AGREE_MM = 25
LEAST_PIECE_ML, LEAST_EAR_ML, LEAST_IN_VIEW = 0.2, 1.0, 0.9
# Where an ear can stand.
PLACE = np.array([-40, -170, 45]), np.array([58, -102, 119])
BACK_MM, LOW_BACK_MM = -142, -12
JAW_MM, LOW_JAW_MM = -114, -20
SIDES = {"right": 1, "left": -1}


class Reference:
    """Pinna and opened head of one side of a ``Volume``, by slices across the head."""

    def __init__(self, volume, frame, side):
        from CTADefaceLib.voxels.volume import ras_affine

        self.volume, self.side = volume, side
        flip = np.diag([side, 1.0, 1.0, 1.0])
        self.to_head = (flip @ frame.matrix @ ras_affine(volume))[[2, 1, 0]]
        matrix = np.linalg.inv(np.vstack([self.to_head, [0, 0, 0, 1]]))
        axes = [np.arange(low, high + 1.0) for low, high in zip(LOW, HIGH)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"))
        index = np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3][:, None, None, None]
        hu = volume.to_hu(volume.ras()).astype(np.float32)
        self.hu = ndi.map_coordinates(hu, index, order=1, mode="constant", cval=-1000)
        self.inside = np.all([(at >= 0) & (at <= n - 1) for at, n in zip(index, hu.shape)], 0)
        tissue = self.hu > TISSUE_HU
        known = self.inside
        across = agreed_mm(np.stack([outside_mm(*plane) for plane in zip(tissue, known)]), known.any((1, 2)))
        tissue_along, known_along = tissue.swapaxes(0, 1), known.swapaxes(0, 1)
        along = np.stack([outside_mm(*plane) for plane in zip(tissue_along, known_along)], 1)
        self.distance = np.maximum(across, along)
        place = np.all([(p >= low) & (p <= high) for p, low, high in zip(points, *PLACE)], 0)
        # The ear leans back: low behind it lies the corner of the neck, low before it the angle of the jaw.
        place &= (points[1] > BACK_MM) | (points[0] > LOW_BACK_MM)
        place &= (points[1] < JAW_MM) | (points[0] > LOW_JAW_MM)
        self.in_view = float(self.inside[place].mean())
        labels, count = ndi.label(tissue & place & (across > STANDS_OUT_MM), np.ones((3, 3, 3)))
        large = np.bincount(labels.ravel(), minlength=count + 1) >= 1000 * LEAST_PIECE_ML * np.prod(frame.scale)
        large[0] = False
        # A head holder does not hang on the head.
        near = np.bincount(labels.ravel(), (across < HANGS_MM).ravel(), count + 1) > 0
        large &= near
        self.pinna = large[labels]

    def voxels(self, grid, outside):
        """Values of a grid of the reference at the volume's voxels, (S, A, R)."""
        shape = self.volume.ras().shape
        index = np.indices(shape, np.float32)
        at = [np.rint(np.tensordot(self.to_head[n, :3], index, 1) + self.to_head[n, 3] - LOW[n]).astype(int) for n in range(3)]
        inside = np.all([(p >= 0) & (p < n) for p, n in zip(at, grid.shape)], 0)
        result = np.full(shape, outside, grid.dtype)
        result[inside] = grid[tuple(p[inside] for p in at)]
        return result


def outside_mm(tissue, known):
    """mm from each point of a slice (A, L) to the head, opened with the disc."""
    labels, count = ndi.label(tissue)
    if count == 0 or not tissue[:, 0].any():
        return np.zeros(tissue.shape)
    sizes = np.bincount(labels[:, 0], minlength=count + 1)
    sizes[0] = 0
    body = ndi.binary_fill_holes(np.pad(labels == sizes.argmax(), ((0, 0), (1, 0)), constant_values=True))[:, 1:]
    margin = int(2 * DISC_MM)
    # The head goes on beyond the slice, and beyond the image.
    body = np.pad(body | nearest_known(body, known), margin, mode="edge")
    body = ndi.distance_transform_edt(~body) <= CLOSING_MM
    body = ndi.distance_transform_edt(body) > CLOSING_MM
    inner = ndi.distance_transform_edt(body) > DISC_MM
    away = ndi.distance_transform_edt(~inner) - DISC_MM if inner.any() else np.zeros(body.shape)
    return np.maximum(away, 0)[margin:-margin, margin:-margin]


def agreed_mm(across, known):
    """mm from each point (S, A, L) to the head that most slices nearby agree about, where ``known`` (S).

    One slice alone takes the ear's root for the head where it fills the hollow behind it, and cuts the cheek's corner in the
    slice above, where the hollow is open.
    """
    weights = ndi.uniform_filter1d(known.astype(float), AGREE_MM, mode="constant")[:, None, None]
    within = ndi.uniform_filter1d((across == 0) * known[:, None, None].astype(float), AGREE_MM, axis=0, mode="constant")
    head = np.where(weights > 0, within > weights / 2, True)
    return np.stack([ndi.distance_transform_edt(~plane) for plane in head])


def nearest_known(body, known):
    """What a slice has outside of the image: what lies nearest in it."""
    if known.all() or not known.any():
        return np.zeros_like(body)
    nearest = ndi.distance_transform_edt(~known, return_indices=True)[1]
    return ~known & body[tuple(nearest)]


def reference(volume, frame):
    """{side: (pinna, opened head: bool (S, A, R), share of its place in view, the ``Reference``)}."""
    result = {}
    tissue = volume.to_hu(volume.ras()) > TISSUE_HU
    for name, side in SIDES.items():
        found = Reference(volume, frame, side)
        result[name] = (
            found.voxels(found.pinna, False) & tissue,
            found.voxels(found.distance == 0, False),
            found.in_view,
            found,
        )
    return result


def measure(volume, references, survey):
    """[row of figures per ear] of a volume, given pinnae and opened heads."""
    from CTADefaceLib.head.ears import Ears
    from CTADefaceLib.voxels.volume import ras_view

    frame = survey.frame
    gone = ras_view(Ears(volume, frame).added_to(np.zeros(volume.stored.shape, bool)), volume.geometry)
    whole = np.any([one[0] for one in references.values()], 0)
    inner = np.any([one[1] for one in references.values()], 0)
    rows, ml = [], volume.geometry.millilitres
    for name, (pinna, _, in_view, _found) in references.items():
        size = ml(pinna.sum())
        rows.append(
            {
                "side": name,
                "in_view": round(in_view, 3),
                "pinna_ml": round(size, 2),
                "judged": in_view >= LEAST_IN_VIEW and size >= LEAST_EAR_ML,
                "removed": round(float((gone & pinna).sum() / max(pinna.sum(), 1)), 4),
                "left_ml": round(ml((pinna & ~gone).sum()), 3),
                "gone_ml": round(ml(gone.sum()), 2),
                "other_ml": round(ml((gone & inner).sum()), 3),
                "layer_ml": round(ml((gone & ~inner & ~whole).sum()), 3),
            }
        )
    return rows, gone


def draw(path, found, gone):
    """Slices of one side: the opened head's border green, pinna red, what goes blue (both: magenta)."""
    from PIL import Image

    removed = np.zeros(found.hu.shape, bool)
    axes = [np.arange(low, high + 1.0) for low, high in zip(LOW, HIGH)]
    matrix = np.linalg.inv(np.vstack([found.to_head, [0, 0, 0, 1]]))
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    at = np.rint(np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3][:, None, None, None]).astype(int)
    inside = np.all([(p >= 0) & (p < n) for p, n in zip(at, gone.shape)], 0)
    removed[inside] = gone[tuple(p[inside] for p in at)]
    tiles = []
    for s in np.linspace(4, len(axes[0]) - 5, 21).astype(int):
        grey = np.clip((found.hu[s] + 1000) / 1400 * 255, 0, 255).astype(np.uint8)
        tile = np.stack([grey] * 3, -1)
        tile[found.pinna[s], 0] = 255
        tile[removed[s], 2] = 255
        head = found.distance[s] == 0
        tile[head & ~ndi.binary_erosion(head)] = 0, 200, 0
        tiles.append(np.pad(tile[20:125, 45:][::-1].repeat(2, 0).repeat(2, 1), ((1, 1), (1, 1), (0, 0)), constant_values=128))
    Image.fromarray(np.vstack([np.hstack(tiles[n : n + 7]) for n in range(0, 21, 7)])).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_options(parser)
    add_run_options(parser)
    parser.add_argument("--turns", nargs="*", default=list(TURNS), choices=list(TURNS), help="default: all")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    from CTADefaceLib.face.survey import surveyed

    rows = []
    for case in find_cases(args.data, args.cases):
        hu, _, spacing = upright(case)
        volume = as_volume(hu, spacing)
        survey = surveyed(volume)
        if survey.frame is None:
            print(f"{case.name}: head not found")
            continue
        references = reference(volume, survey.frame)
        for turn in args.turns:
            if turn == "upright":
                here, there = volume, references
            else:
                (moved,) = turned([hu], [1], [-1000], spacing, TURNS[turn])
                here, there = as_volume(moved, spacing), {}
                survey = surveyed(here)
                for name, (pinna, inner, in_view, found) in references.items():
                    masks = turned([pinna.view(np.uint8), inner.view(np.uint8)], [0, 0], [0, 0], spacing, TURNS[turn])
                    there[name] = (*(m.astype(bool) for m in masks), in_view, found)
                    there[name] = (there[name][0] & (moved > TISSUE_HU), *there[name][1:])
            measured, gone = measure(here, there, survey)
            for row in measured:
                rows.append({"case": case.name, "turn": turn, **row})
                print(
                    f"{case.name:20s} {turn:10s} {row['side']:5s} in view {row['in_view']:.2f}  "
                    f"pinna {row['pinna_ml']:5.1f} ml  "
                    f"removed {100 * row['removed']:6.2f} %  left {row['left_ml']:.2f}  head: gone {row['gone_ml']:5.1f}  "
                    f"layer {row['layer_ml']:.2f}  other {row['other_ml']:.2f} ml"
                    f"{'' if row['judged'] else '  not judged'}",
                    flush=True,
                )
                if args.pictures and turn == "upright":
                    args.pictures.mkdir(parents=True, exist_ok=True)
                    draw(args.pictures / f"{case.name}_{row['side']}.png", references[row["side"]][3], gone)
    judged = [row for row in rows if row["judged"]]
    if not judged:
        print("No ear in view.")
        return 1
    bars = [
        Bar("least share of a pinna removed", min(row["removed"] for row in judged), ">=", LEAST_REMOVED),
        Bar("most other tissue of a head", max(row["other_ml"] for row in judged), "<", MOST_OTHER_ML, "ml"),
    ]
    print(
        f"{len(judged)} ears; median removed {np.median([row['removed'] for row in judged]):.4f}, "
        f"below the bar {sum(row['removed'] < LEAST_REMOVED for row in judged)}; median other "
        f"{np.median([row['other_ml'] for row in judged]):.2f} ml, above the bar "
        f"{sum(row['other_ml'] >= MOST_OTHER_ML for row in judged)} (of an ear's head)"
    )
    write_csv(args.output / "ears.csv", rows)
    write_json(args.output / "ears.json", {"bars": bars_as_dicts(bars), "rows": rows})
    return report_bars(bars)


if __name__ == "__main__":
    sys.exit(main())
