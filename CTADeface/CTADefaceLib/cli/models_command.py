"""The shell commands ``cta-deface models list``, ``install`` and ``remove``."""

import argparse
import json


def add_models(commands: argparse._SubParsersAction) -> None:
    models = commands.add_parser("models", help="list, install or remove models").add_subparsers(required=True)
    listing = models.add_parser("list", help="bundled and installed models")
    listing.add_argument("--json", action="store_true", help="one JSON object per model on stdout")
    listing.set_defaults(action=list_models_command)
    install = models.add_parser("install", help="add an nnU-Net v2 face model from a folder or zip")
    install.add_argument(
        "path", metavar="FOLDER|ZIP", help="a trained model folder or results tree of nnU-Net v2, or a zip of one"
    )
    install.add_argument("--name", metavar="NAME", help="what --model calls it (default: the name of its dataset or folder)")
    install.add_argument("--overwrite", action="store_true", help="replace an installed model of that name")
    install.set_defaults(action=install_model_command)
    remove = models.add_parser("remove", help="delete an installed model")
    remove.add_argument("name", metavar="NAME", help="as models list names it")
    remove.set_defaults(action=remove_model_command)


def list_models_command(args: argparse.Namespace) -> int:
    from ..models.store import list_models

    for info in list_models():
        if args.json:
            print(
                json.dumps(
                    {
                        "name": info.name,
                        "origin": info.origin,
                        "folder": str(info.folder),
                        "problem": info.problem,
                        "spacing_mm": info.spacing,
                        "folds": info.folds,
                    }
                )
            )
        elif info.problem:
            print(f"{info.name}\t{info.origin}\tunusable: {info.problem}")
        else:
            print(f"{info.name}\t{info.origin}\t{' x '.join(f'{s:g}' for s in info.spacing)} mm\t{info.folder}")
    return 0


def install_model_command(args: argparse.Namespace) -> int:
    from ..models.store import install_model

    info = install_model(args.path, args.name, args.overwrite)
    print(f"{info.name}: installed in {info.folder}")
    return 0


def remove_model_command(args: argparse.Namespace) -> int:
    from ..models.store import remove_model

    remove_model(args.name)
    print(f"{args.name}: removed")
    return 0
