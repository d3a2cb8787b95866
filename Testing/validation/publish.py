"""From a finished run to what the repository shows of it: RESULTS.md, the table of docs/validation.md, the public head's
picture, and the figures that the identity check cites.

Takes only results of this very code, model and protocol; exit code 1 when some are missing. The picture shows the
public InVesalius cranium alone, never another head.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.paths import ENGINE, RESOURCES, ROOT

sys.path.insert(0, str(ENGINE))

PUBLIC_HEAD = "invesalius-cranium"
PICTURE = ROOT / "Resources" / "validation.png"
CITED = RESOURCES / "identity.json"
BEGIN, END = "<!-- validation -->", "<!-- end of validation -->"


def finished(data, out):
    """(``Summary``, ``Store``) of a run; SystemExit when a result is missing."""
    from CTADefaceLib.validation.heads import find_cases
    from CTADefaceLib.validation.methods import ORIGINAL
    from CTADefaceLib.validation.protocol import read_protocol
    from CTADefaceLib.validation.reporting.study_summary import Summary
    from CTADefaceLib.validation.results_store import Store, run_key

    protocol = read_protocol()
    store, results = Store(out / "work", run_key(protocol)), {}
    for case in find_cases(data):
        key = store.head_key(case)
        results[case.name] = {name: store.load(case.name, name, key) for name in (ORIGINAL, *protocol.methods)}
    missing = [f"{head} {name}" for head, found in results.items() for name, result in found.items() if result is None]
    if missing:
        raise SystemExit(f"{out}: {len(missing)} results of this code are missing ({missing[0]}, ...); finish the run.")
    return Summary(results, protocol), store


def main(argv=None):
    from CTADefaceLib.validation.reporting.cited import cited
    from CTADefaceLib.validation.reporting.figures import DPI, box_plot, montage
    from CTADefaceLib.validation.reporting.study_report import limits, markdown
    from CTADefaceLib.validation.reporting.tables import all_tables
    from CTADefaceLib.validation.results_store import finite

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the heads of the run")
    parser.add_argument("out", type=Path, help="the folder that the run was given as --report")
    args = parser.parse_args(argv)
    summary, store = finished(args.data, args.out)
    tables = all_tables(summary)
    parts = [
        "# Results",
        "Made by `publish.py` from one run; do not edit.",
        "## Limits\n\n" + "\n".join(f"- {text}" for text in limits(summary)),
        *(f"## {table.title}\n\n{markdown(table)}" for table in tables),
    ]
    here = Path(__file__).parent
    (here / "RESULTS.md").write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")
    page = ROOT / "docs" / "validation.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{markdown(tables[0])}{END}{rest.partition(END)[2]}", encoding="utf-8")
    CITED.write_text(json.dumps(finite(cited(summary, store.key)), indent=1) + "\n", encoding="utf-8")
    montage(summary, store, [PUBLIC_HEAD]).figure.savefig(PICTURE, dpi=DPI)
    for figure in ("probability", "distance"):
        box_plot(summary, figure).figure.savefig(here / f"{figure}.png", dpi=DPI)
    return 0


if __name__ == "__main__":
    sys.exit(main())
