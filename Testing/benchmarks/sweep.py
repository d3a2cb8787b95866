"""How the constants of refinement were chosen: on heads held out of training, never on the check heads.

The folder is the training data, the heads are those that
``cta-deface train run --work WORK`` held out (its ``split.json``). Prints the mean and
least Dice over them for each setting of the network's threshold, the threshold near the skin, the HU of the skin's
border and test-time mirroring.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np

from common import networks, write_csv

FACE_LOGITS = (-2.0, -1.5, -1.0, -0.5, 0.0)
SKIN_LOGITS = (-3.0, -2.0)
SKIN_BORDER_HU = (-600.0, -500.0)


def scores(image, reference, model, mirroring):
    """Setting -> Dice of one head; the network runs once."""
    from CTADefaceLib.face import refine
    from CTADefaceLib.face.locate import predict_face
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.network.model_run import ModelRun
    from CTADefaceLib.network.resample import LOGIT_SCALE
    from CTADefaceLib.voxels.anatomy import brain
    from CTADefaceLib.voxels.cells import expand

    volume, wanted = read_volume(image), read_volume(reference).ras() != 0
    found = predict_face(volume, model, ModelRun(mirroring=mirroring))
    hu = volume.to_hu(np.ascontiguousarray(volume.ras()[found.region]))
    protected, inside = expand(*brain(volume), found.region).__getitem__, wanted[found.region]
    result = {("network", "", "", mirroring): _dice(found.logits > 0, inside, wanted)}
    for face, skin, tissue in itertools.product(FACE_LOGITS, SKIN_LOGITS, SKIN_BORDER_HU):
        refine.FACE_LOGIT, refine.SKIN_LOGIT, refine.SKIN_BORDER_HU = face, skin, tissue
        mask = refine.refine(hu, found.logits, volume.geometry.ras_spacing(), protected, scale=LOGIT_SCALE)
        result[face, skin, tissue, mirroring] = _dice(mask, inside, wanted)
    return result


def _dice(mask, inside, wanted):
    return 2 * np.count_nonzero(mask & inside) / (np.count_nonzero(mask) + np.count_nonzero(wanted))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the training data, <case>_image.nii.gz and <case>_mask.nii.gz")
    parser.add_argument("split", type=Path, help="split.json that `prepare` wrote")
    parser.add_argument("--model", metavar="NAME|FOLDER")
    parser.add_argument("--mirroring", action="store_true", help="also with mirroring")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args(argv)

    model, table = networks().network(args.model), {}
    for name in json.loads(args.split.read_text())["held_out"]:
        for mirroring in (False, True) if args.mirroring else (False,):
            files = (args.data / f"{name}_{kind}.nii.gz" for kind in ("image", "mask"))
            for setting, dice in scores(*files, model, mirroring).items():
                table.setdefault(setting, []).append(dice)
    keys = ("face_logit", "skin_logit", "tissue_hu", "mirroring")
    rows = [
        dict(zip(keys, setting)) | {"heads": len(dice), "mean": float(np.mean(dice)), "least": float(min(dice))}
        for setting, dice in table.items()
    ]
    for row in sorted(rows, key=lambda row: -row["mean"]):
        print("  ".join(f"{key} {value:.4f}" if key in ("mean", "least") else f"{key} {value}" for key, value in row.items()))
    write_csv(args.output / "sweep.csv", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
