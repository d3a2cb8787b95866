"""The folder that the extension ships: stock nnU-Net layout, weights only."""

import json
import shutil
from pathlib import Path

import torch

KEPT = ("network_weights", "current_epoch", "inference_allowed_mirroring_axes")


def package_model(trained, destination):
    """Copy what inference needs of a trained folder (``.../FaceTrainer__nnUNetPlans__3d_fullres``).

    The checkpoint keeps the weights and the keys that ``nnUNetv2_predict_from_modelfolder`` reads, and
    names the stock trainer, whose network it is. Optimizer state and local paths stay behind.
    """
    trained, destination = Path(trained), Path(destination)
    folder = trained / "fold_all"
    names = ("checkpoint_latest.pth", "checkpoint_final.pth")
    source = next(folder / name for name in names if (folder / name).is_file())
    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    kept = {key: checkpoint[key] for key in KEPT}
    kept["trainer_name"] = "nnUNetTrainer"
    kept["init_args"] = {"configuration": checkpoint["init_args"]["configuration"], "fold": "all"}
    (destination / "fold_all").mkdir(parents=True, exist_ok=True)
    torch.save(kept, destination / "fold_all" / "checkpoint_final.pth")
    for name in ("plans.json", "dataset.json"):
        (destination / name).write_text(json.dumps(json.loads((trained / name).read_text()), indent=2) + "\n")
    logs = sorted(folder.glob("training_log_*.txt"))
    if logs:
        with open(destination / "training_log.txt", "w", encoding="utf-8") as out:
            for log in logs:
                with open(log, encoding="utf-8") as lines:
                    shutil.copyfileobj(lines, out)
    return destination
