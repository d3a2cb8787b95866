"""Can the skin be found again in a defaced file? The strongest attack that we know, on the published and our fill.

The attacker has the file and knows the method. Realistic noise is added to each head first (many have blank air), the
engine's own mask is filled, and along each line from anterior to posterior over the face the attacker says where the
skin was. Clues from the file: the foremost border of a constant region (each of the most frequent exact values is tried), the
foremost border of a region without noise, the foremost step of the HU, each moved by any amount (the best one for the
attacker is counted, which a real one would not know). Without the file's clues he knows the average depth of soft tissue over
what is left: the yardstick. Errors are medians over the face's lines, in mm. Exit code 1 when a bar is missed.
"""

import argparse
import sys

import numpy as np
from common import Bar, add_data_options, add_run_options, bars_as_dicts, find_cases, report_bars, write_csv, write_json
from scipy import ndimage as ndi

NOISE_HU = 12.0
NOISE_VOXELS = 0.6
TISSUE_HU = -300.0
LEAST_ERROR_MM = 10.0
MOST_FREQUENT = 8
MOVES_MM = np.arange(-30.0, 30.5, 0.5)
FLAT_HU = 0.5
STEP_HU = 150.0
RUN = 3
FILLS = ("published", "levelled")
# How much better than the yardstick counts as the file telling something, mm.
SLACK_MM = 0.5


def noisy(volume, seed):
    """The volume as int16 HU with correlated noise everywhere, as a scan with air has it."""
    from CTADefaceLib.volume import Volume

    random = np.random.default_rng(seed)
    noise = ndi.gaussian_filter(random.standard_normal(volume.stored.shape, np.float32), NOISE_VOXELS)
    hu = volume.to_hu(volume.stored).astype(np.float32) + noise * (NOISE_HU / noise.std())
    return Volume(np.rint(hu).astype(np.int16), volume.geometry, name=volume.name)


def foremost(hit):
    """(S, R) index along A (growing forwards) of the foremost True voxel of (S, A, R), -1 without one."""
    index = hit.shape[1] - 1 - np.argmax(hit[:, ::-1], axis=1)
    return np.where(hit.any(1), index, -1)


def runs(hit):
    """Voxels from which ``hit`` goes on for three voxels backwards."""
    result = hit.copy()
    for back in range(1, RUN):
        result[:, back:] &= hit[:, :-back]
        result[:, :back] = False
    return result


def clues(hu):
    """Name -> (S, R) of where the file itself seems to have had its skin, -1 where it says nothing."""
    values, counts = np.unique(hu, return_counts=True)
    found = {}
    for number, value in enumerate(values[np.argsort(counts)[::-1][:MOST_FREQUENT]]):
        found[f"constant {number}"] = foremost(runs(hu == value))
    values = hu.astype(np.float32)
    mean = ndi.uniform_filter(values, 3)
    deviation = np.sqrt(np.maximum(ndi.uniform_filter(values ** 2, 3) - mean ** 2, 0))
    found["no noise"] = foremost(deviation < FLAT_HU)
    found["step"] = foremost(np.abs(np.diff(values, axis=1, prepend=values[:, :1])) > STEP_HU)
    return found


def inner_borders(hu):
    """Two (S, R) of the foremost voxel of what is left of the head: of any tissue, and of tissue without specks."""
    tissue = hu > TISSUE_HU
    return foremost(tissue), foremost(ndi.binary_opening(tissue, iterations=1))


def error_of(guess, skin, spacing, moved=True):
    """Median |error| in mm over the lines of ``skin``; a line without a guess counts as the farthest one seen."""
    distance = (guess - skin) * spacing
    distance = np.where(guess >= 0, distance, np.nan)
    if np.isfinite(distance).mean() < 0.2:
        return np.inf
    distance = np.where(np.isfinite(distance), distance, np.nanmax(np.abs(distance)))
    moves = MOVES_MM if moved else [0.0]
    return float(min(np.median(np.abs(distance + move)) for move in moves))


def attack(case, model, seed):
    """One row per head: the attacker's error for each fill, and the yardstick."""
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.fill import filled
    from CTADefaceLib.pipeline import face_mask
    from CTADefaceLib.volume import ras_view

    volume = noisy(read_volume(case.image), seed)
    mask = face_mask(volume, model)
    face = ras_view(mask, volume.geometry)
    used = np.flatnonzero(face.any((1, 2)))
    slices = slice(used[0], used[-1] + 1)
    spacing = volume.geometry.ras_spacing()[1]
    skin = foremost(ndi.binary_opening(volume.ras()[slices] > TISSUE_HU, iterations=1))
    lines = (skin >= 0) & (np.take_along_axis(face[slices], np.maximum(skin, 0)[:, None], 1)[:, 0])
    row = {"case": case.name, "lines": int(lines.sum())}
    for fill in FILLS:
        hu = ras_view(filled(volume, mask, fill)[0], volume.geometry)[slices]
        yardstick = min(error_of(guess[lines], skin[lines], spacing) for guess in inner_borders(hu))
        guesses = {name: guess[lines] for name, guess in clues(hu).items()}
        errors = {name: error_of(guess, skin[lines], spacing) for name, guess in guesses.items()}
        still = {name: error_of(guess, skin[lines], spacing, moved=False) for name, guess in guesses.items()}
        best = min(errors, key=errors.get)
        row |= {f"{fill}_clue": best, f"{fill}_moved_mm": errors[best], f"{fill}_mm": min(still.values()),
                f"{fill}_depth_only_mm": yardstick}
    return row


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    args = parser.parse_args(argv)
    rows = []
    for number, case in enumerate(find_cases(args.data, args.cases)):
        rows.append(attack(case, args.model, number))
        print("  ".join(f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in rows[-1].items()), flush=True)
    worst = min(row["levelled_mm"] for row in rows)
    gain = max(row["levelled_depth_only_mm"] - row["levelled_moved_mm"] for row in rows)
    found = float(np.median([row["published_moved_mm"] for row in rows]))
    bars = [Bar("published fill, median error (the attack works)", found, "<=", 3.0, "mm"),
            Bar("levelled fill, least error", worst, ">=", LEAST_ERROR_MM, "mm"),
            Bar("levelled fill, most that the file's clues add to average depth", gain, "<=", SLACK_MM, "mm")]
    code = report_bars(bars)
    write_json(args.output / "attack.json", {"cases": rows, "bars": bars_as_dicts(bars)})
    write_csv(args.output / "attack.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())
