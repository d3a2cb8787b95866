"""Are faces still detected, and people recognised, after each fill? MTCNN and FaceNet on 12 CT-Muscle renderings.

The engine's own mask is filled. Prints per head the product's identity check (views with the face detected, before and
after; FaceNet distance to the same head before; verdict) for the published and the levelled fill, then per view and in
all, with 95 % Wilson intervals and McNemar's exact test. Identity: the distance of a defaced head to its own original
against that to the originals of other heads, same view, by view; and, with 95 % intervals, rank-1 and AUC by head (0.5:
not told apart) for each recogniser, for all together, and for attackers who learned from other defaced heads, as
`cta-deface validate` has them, but in MTCNN's boxes. Exit code 1 when a mark published by others is missed
(paper: detection 62 %; same-patient AUC 0.60).
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from common import (
    Bar,
    add_data_options,
    add_run_options,
    bars_as_dicts,
    find_cases,
    machine_facts,
    model_facts,
    networks,
    report_bars,
    write_csv,
    write_json,
)
from CTADefaceLib.validation.identification import WHO, Identification, auc
from CTADefaceLib.validation.reporting.table_cells import PAPER_DETECTION, PUBLISHED_AUC, rate_of
from CTADefaceLib.validation.reporting.tables import auc_text
from CTADefaceLib.validation.statistics import mcnemar_p, wilson

FILLS = ("published", "levelled")
COLUMNS = 3  # yaws per pitch, the order of the views


@dataclass
class Head:
    """``results``: fill -> ``IdentityResult``; ``points``: recogniser -> (state, view) -> its numbers of the face there."""

    name: str
    results: dict
    points: dict


def examine(case, model, tools):
    """``Head`` of a case, None without a face."""
    from CTADefaceLib.face.mask import face_mask
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.filling.fill import filled
    from CTADefaceLib.head.pose import locate
    from CTADefaceLib.identity.views import VIEWS, draw_views, face_centre, frame
    from CTADefaceLib.network.model_run import ModelRun
    from CTADefaceLib.rendering.camera import tissue_focus

    volume = read_volume(case.image)
    mask, head = face_mask(volume, networks(), ModelRun(model)), locate(volume)
    if not mask.any():
        return None
    index_to_ras = volume.geometry.affine()
    before = volume.to_hu(volume.stored)
    focus = tissue_focus(before, index_to_ras)
    pictures = {"before": draw_views(before, index_to_ras, focus)}
    for fill in FILLS:
        pictures[fill] = draw_views(volume.to_hu(filled(volume, mask, fill, frame=head)[0]), index_to_ras, focus)
    centre = face_centre(mask, index_to_ras)
    return measure(case.name, [frame(view, focus, centre) for view in VIEWS], pictures, *tools)


def measure(name, frames, pictures, detector, recognisers):
    """``Head`` from its pictures: state -> list by view."""
    from CTADefaceLib.identity.identity_check import compare, summarise
    from CTADefaceLib.identity.views import VIEWS

    results, points = {}, {recogniser: {} for recogniser in recognisers}
    for fill in FILLS:
        views = [
            compare(*part, detector, recognisers["facenet"])
            for part in zip(VIEWS, frames, pictures["before"], pictures[fill], strict=True)
        ]
        results[fill] = summarise(views)
        for number, view in enumerate(views):
            faces = {"before": view.before, fill: view.after or view.before}
            for recogniser, embedder in recognisers.items():
                points[recogniser] |= {
                    (state, number): embedder.embed(pictures[state][number], face.box) for state, face in faces.items() if face
                }
    return Head(name, results, points)


def distances(first, second, pairs):
    """FaceNet's distances of the points ``pairs`` (a key of the head ``first``, one of ``second``) where both are."""
    first, second = first.points["facenet"], second.points["facenet"]
    return [float(np.linalg.norm(first[a] - second[b])) for a, b in pairs if a in first and b in second]


def arrays(heads, state, views):
    """{recogniser: (heads, views, numbers)}, NaN without a face."""
    result = {}
    for recogniser in heads[0].points:
        points = [head.points[recogniser] for head in heads]
        blank = np.full(max((v.size for p in points for v in p.values()), default=1), np.nan)
        result[recogniser] = np.array([[p.get((state, v), blank) for v in range(views)] for p in points])
    return result


def originals(heads, views):
    """Distances between originals: the same head in neighbouring views (10 or 15 degrees); different heads."""
    neighbours = [
        (("before", a), ("before", b))
        for a in range(views)
        for b in (a + 1, a + COLUMNS)
        if b < views and (b != a + 1 or b % COLUMNS)
    ]
    same = [d for head in heads for d in distances(head, head, neighbours)]
    pairs = [(("before", v), ("before", v)) for v in range(views)]
    return same, [d for n, one in enumerate(heads) for other in heads[n + 1 :] for d in distances(one, other, pairs)]


def recognised(heads, fill, views):
    """Defaced against originals in the same view: AUC of FaceNet by view, and ``who``: ``identification.identified`` by
    head."""
    pairs = [((fill, v), ("before", v)) for v in range(views)]
    own = [d for head in heads for d in distances(head, head, pairs)]
    others = [d for head in heads for other in heads if other is not head for d in distances(head, other, pairs)]
    probes = Identification(arrays(heads, fill, views), arrays(heads, "before", views), tuple((v, v) for v in range(views)))
    return {"auc_by_view": auc(own, others), "who": {who: probes.found(who) for who in WHO}, "own": own, "others": others}


def share(found):
    """Text of a proportion of Booleans with its 95 % Wilson interval."""
    low, high = wilson(sum(found), len(found))
    return f"{sum(found)}/{len(found)} = {np.mean(found):.2f} ({low:.2f} to {high:.2f})"


def rows_of(head):
    for fill, result in head.results.items():
        combined = result.as_dict()["combined"]
        yield {"case": head.name, "fill": fill, **combined, "verdict": result.verdict}


def found(heads, fill, state):
    """Bool (heads, views): was the face detected in ``state`` ('before', 'after')?"""
    return np.array([[getattr(view, state) is not None for view in head.results[fill].views] for head in heads])


def report(heads, views):
    """Print all figures; returns (their dict, bars)."""
    figures, bars = {}, []
    before = found(heads, FILLS[0], "before")
    print(f"\nby view, heads with a face detected ({len(heads)} heads)")
    counts = {"before": before} | {fill: found(heads, fill, "after") for fill in FILLS}
    for number, view in enumerate(views):
        print(f"  {view.name:<18}" + "  ".join(f"{state} {int(c[:, number].sum())}" for state, c in counts.items()))
    for state, c in counts.items():
        print(
            f"{state}: views {share(c.ravel())}; heads in some view {share(c.any(1))}; heads straight ahead "
            f"{share(c[:, 1])}; McNemar by head p = {mcnemar_p(before.any(1), c.any(1)):.2g}"
        )
        figures[state] = {"view_rate": float(c.mean()), "head_rate": float(c.any(1).mean()), "by_view": c.sum(0).tolist()}
    same, different = originals(heads, len(views))
    for name, values in (("same head, neighbouring views", same), ("different heads, same view", different)):
        print(f"originals, {name}: {spread(values)}")
        figures[name] = values
    for fill in FILLS:
        result = recognised(heads, fill, len(views))
        print(
            f"{fill}: to own original {spread(result['own'])}; to others' {spread(result['others'])}; AUC by view "
            f"{result['auc_by_view']:.2f}"
        )
        for who, one in result["who"].items():
            print(f"{fill}: {WHO[who]}: rank-1 {rate_of(one['rank1'], one['heads'])}; AUC {auc_text(one)}")
        verdicts = [head.results[fill].verdict for head in heads]
        print(f"{fill}: verdicts " + ", ".join(f"{v} {verdicts.count(v)}" for v in sorted(set(verdicts))))
        figures[f"{fill} identity"] = result
    bars = [
        Bar(
            "levelled fill, share of views with a face",
            figures["levelled"]["view_rate"],
            "<=",
            PAPER_DETECTION["ours-published"],
        ),
        Bar(
            "levelled fill, AUC by view of own against others' originals",
            figures["levelled identity"]["auc_by_view"],
            "<=",
            PUBLISHED_AUC["CTA-DEFACE"],
        ),
    ]
    return figures, bars


def spread(values):
    """Number, and 5th, 50th and 95th percentile."""
    if not values:
        return "none"
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.2f} ({low:.2f} to {high:.2f}, n = {len(values)})"


def main(argv=None):
    from CTADefaceLib.identity.recognition import Detector, Embedder
    from CTADefaceLib.identity.views import VIEWS
    from CTADefaceLib.validation.faces import DlibEmbedder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    args = parser.parse_args(argv)
    tools = Detector(), {"facenet": Embedder(), "dlib": DlibEmbedder()}
    heads, rows = [], []
    for case in find_cases(args.data, args.cases):
        head = examine(case, args.model, tools)
        if head is None:
            print(f"{case.name}: no face found")
            continue
        heads.append(head)
        for row in rows_of(head):
            rows.append(row)
            print(
                "  ".join(
                    f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
                ),
                flush=True,
            )
    figures, bars = report(heads, VIEWS)
    code = report_bars(bars)
    write_json(
        args.output / "identity.json",
        {
            "model": model_facts(args.model),
            "machine": machine_facts(),
            "bars": bars_as_dicts(bars),
            "combined": figures,
            "heads": {head.name: {fill: r.as_dict() for fill, r in head.results.items()} for head in heads},
        },
    )
    write_csv(args.output / "identity.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())
