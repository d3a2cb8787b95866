"""Stock nnU-Net against this engine with the same weights, before refinement.

Stock is ``nnUNetPredictor`` without mirroring, and it must load the model folder as fold ``all``, as
``nnUNetv2_predict_from_modelfolder -f all`` does. The bar is on the Dice of the two masks. Two further
columns say where a difference comes from:

  input rms    of the difference between both networks' inputs, in standard deviations of the normalisation: 0 when
               the resampling agrees
  all pieces   Dice to stock without this engine's choice of patches and of connected pieces, which drops false
               pieces far from the face on purpose

and the last two say which of both is closer to the reference. Exit code 1 when the bar is missed.
"""

import argparse
import contextlib
import io
import sys

import numpy as np
import torch

from common import (
    Bar,
    add_data_options,
    add_run_options,
    bars_as_dicts,
    find_cases,
    machine_facts,
    model_facts,
    network_mask,
    networks,
    report_bars,
    write_csv,
    write_json,
)
from CTADefaceLib.validation.measures import dice

LEAST_DICE = 0.99
FOLD = "all"
CPU = torch.device("cpu")
COLUMNS = (
    ("dice", "Dice"),
    ("input_rms", "input rms"),
    ("all_pieces", "all pieces"),
    ("ours_to_reference", "ours : ref"),
    ("stock_to_reference", "stock : ref"),
)


def load_stock(folder):
    """Stock's predictor with the weights in ``folder``, settings as of ``--disable_tta -device cpu``."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_mirroring=False, device=CPU, perform_everything_on_device=False, allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), (FOLD,))
    return predictor


def stock_mask(predictor, path):
    """Stock's whole way from the file to the mask.

    Returns: bool (k, j, i), and its normalised and resampled input, float32 tensor (z, y, x).
    """
    from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape

    settings = predictor.plans_manager, predictor.configuration_manager
    array, properties = predictor.plans_manager.image_reader_writer_class().read_images([str(path)])
    preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
    data, _, properties = preprocessor.run_case_npy(array, None, properties, *settings, predictor.dataset_json)
    data = torch.from_numpy(np.ascontiguousarray(data)).float()
    logits = predictor.predict_logits_from_preprocessed_data(data).float()
    labels = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, *settings, predictor.label_manager, properties
    )
    return labels == predictor.dataset_json["labels"]["face"], data[0]


def plain_mask(volume, model):
    """This engine's mask with every patch and every connected piece, bool (S, A, R), and the network's input."""
    from CTADefaceLib.network.model_grid import grid_shape, intensity
    from CTADefaceLib.network.resample import from_model_grid, to_model_grid
    from CTADefaceLib.network.sliding_window import sliding_window_logits

    view, info = volume.ras(), model.info
    shape = grid_shape(view.shape, volume.geometry.ras_spacing(), info)
    data = to_model_grid(view, volume.to_hu, shape, intensity(info))
    data = torch.from_numpy(data).permute(info.transpose_forward)
    logits = sliding_window_logits(model, data, CPU).permute(info.transpose_backward).numpy()
    return from_model_grid(logits, view.shape, tuple(slice(0, n) for n in view.shape)) > 0, data


def compare(case, model, predictor):
    """The Dice figures of one head (see the module) as a dict."""
    from CTADefaceLib.files.read import read_volume

    volume = read_volume(case.image)
    if volume.geometry.ras_order() != [(0, False), (1, False), (2, False)]:
        raise SystemExit(f"{case.image}: is not stored RAS+; stock would show the network a turned head.")
    reference = np.asarray(read_volume(case.mask).stored) != 0
    ours = network_mask(volume, str(model.info.folder))
    with _silence():
        stock, data = stock_mask(predictor, case.image)
    plain, own_data = plain_mask(volume, model)
    return {
        "case": case.name,
        "subset": case.subset,
        "dice": dice(ours, stock),
        "input_rms": float((own_data - data).square().mean().sqrt()),
        "all_pieces": dice(plain, stock),
        "ours_to_reference": dice(ours, reference),
        "stock_to_reference": dice(stock, reference),
    }


def _silence():
    """Stock prints to both streams; its errors still come as exceptions."""
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
    stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
    return stack


def print_table_row(name, cells):
    print(name.ljust(24) + "".join(f"{cell:>14}" for cell in cells), flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    args = parser.parse_args(argv)
    cases = find_cases(args.data, args.cases)

    model = networks().loaded(args.model)
    with _silence():
        predictor = load_stock(model.info.folder)
    print(f"{model.info.folder.name}: loaded by stock nnU-Net as -f {FOLD}, trainer {predictor.trainer_name}")
    print_table_row("head", [heading for _, heading in COLUMNS])
    rows = []
    for case in cases:
        rows.append(compare(case, model, predictor))
        print_table_row(case.name, [f"{rows[-1][key]:.4f}" for key, _ in COLUMNS])
    print_table_row("mean", [f"{np.mean([row[key] for row in rows]):.4f}" for key, _ in COLUMNS])
    bars = [Bar("worst Dice, stock against ours", min(row["dice"] for row in rows), ">=", LEAST_DICE)]
    code = report_bars(bars)
    write_json(
        args.output / "parity.json",
        {"model": model_facts(args.model), "machine": machine_facts(), "cases": rows, "bars": bars_as_dicts(bars)},
    )
    write_csv(args.output / "parity.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())
