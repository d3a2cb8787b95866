"""The validation: its numbers on synthetic cases with known answers, and the whole command on two real heads."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from CTADefaceLib.errors import InputError, MissingPackages
from CTADefaceLib.validation import box, heads, identification, intervals, measures, protocol, statistics
from CTADefaceLib.validation import results_store as store
from CTADefaceLib.validation.attacks import retrained
from CTADefaceLib.validation.validation_packages import require_packages
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers.paths import CHECK_DATA, ENGINE

HEADS = ("pt_184", "pt_293")
METHODS = ("reference-published", "ours-levelled", "box-published")


def test_metrics_of_two_cubes():
    first, second = np.zeros((2, 20, 20, 20), bool)
    first[5:15, 5:15, 5:15] = True
    second[5:15, 5:15, 7:17] = True
    assert measures.dice(first, second) == pytest.approx(0.8)
    distances = measures.surface_distances(first, second, (1.0, 1.0, 1.5))
    assert measures.hausdorff95(distances) == pytest.approx(3.0)
    assert measures.surface_dice(distances, 3.0) == 1.0 > measures.surface_dice(distances, 1.0)
    assert measures.surface_distances(first, np.zeros_like(first), (1, 1, 1)) is None


def test_overlap_counts_tissue_only_where_a_mask_reaches_into_air():
    hu = np.full((10, 10, 10), -1000, np.int16)
    hu[:, :5] = 40
    volume = Volume(hu, Geometry((10.0, 10.0, 10.0), (0, 0, 0), np.eye(3)))
    reference, mask = np.zeros((2, 10, 10, 10), bool)
    reference[:, 4] = True
    mask[:, 3:] = True
    found = measures.overlap(volume, mask, reference, protocol.read_protocol())
    assert found["dice"] == pytest.approx(2 * 100 / 800) and found["dice_tissue"] == pytest.approx(2 * 100 / 300)
    assert (found["over_ml"], found["missed_ml"], found["mask_ml"]) == (100, 0, 700)


def test_wilson_interval_and_exact_mcnemar_are_the_textbook_ones():
    # Brown, Cai, DasGupta 2001: 0 of 10 gives 0 to 0.278; symmetrical at one half.
    assert statistics.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert sum(statistics.wilson(5, 10)) == pytest.approx(1)
    # Six pairs changed one way, none the other: 2 * 0.5 ** 6.
    assert statistics.mcnemar_p([1] * 6 + [0] * 4, [0] * 10) == pytest.approx(2 * 0.5**6)
    assert statistics.mcnemar_p([1, 0], [1, 0]) == 1


def test_friedman_and_signed_rank_of_a_constant_order():
    low = np.arange(8.0)
    groups = {"a": low, "b": low + 1, "c": low + 3}
    # Every head ranks a < b < c: chi2 = 2 n = 16 with 2 degrees of freedom.
    assert statistics.friedman(list(groups.values())) == pytest.approx(np.exp(-8))
    tested = statistics.signed_rank(groups, [("a", "b"), ("a", "c"), ("a", "a")])
    assert tested["a", "b"][0] == pytest.approx(2 * 0.5**8)
    assert tested["a", "c"][1] == pytest.approx(3 * tested["a", "c"][0])
    assert tested["a", "a"] == (None, None)
    assert statistics.friedman([low[:2]] * 3) is None


def test_paired_t_says_whether_the_differences_are_normal():
    random = np.random.default_rng(1)
    base = random.normal(size=40)
    normal = statistics.paired_t(base + random.normal(1, 0.5, 40), base, 0.05)
    skewed = statistics.paired_t(base + random.exponential(1, 40) ** 3, base, 0.05)
    assert normal["normal"] and normal["p"] < 1e-6
    assert not skewed["normal"]
    assert statistics.paired_t(base, base, 0.05)["p"] is None


def test_gallery_finds_own_heads_and_guesses_without_a_face():
    random = np.random.default_rng(0)
    originals = random.normal(size=(6, 4, 16))
    pairs = [(v, v) for v in range(4)]
    near = identification.identified(identification.distance_matrix(originals + 0.01, originals, pairs), range(6))
    assert (near["rank1"], near["heads"], near["auc"]) == (6, 6, 1.0)
    assert near["chance"] == pytest.approx(1 / 6)
    alike = identification.identified(
        identification.distance_matrix(np.zeros_like(originals), np.ones_like(originals), pairs), range(6)
    )
    assert (alike["rank1"], alike["auc"]) == (0, 0.5)
    probes = originals.copy()
    probes[0], probes[1, 0] = np.nan, np.nan
    distances = identification.distance_matrix(probes, originals, pairs)
    assert np.isnan(distances[0]).all() and np.isfinite(distances[1]).all()
    assert identification.identified(distances, range(6))["heads"] == 5
    assert identification.auc([1, 4], [2, 3]) == 0.5


def test_intervals_of_an_auc_come_from_heads_and_never_vanish():
    random, n = np.random.default_rng(0), 18
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    same, different = random.normal(size=n), random.normal(size=len(pairs))
    low, high = intervals.auc_interval(same, range(n), different, pairs)
    assert low < 0.5 < high and low < identification.auc(same, different) < high
    again = intervals.auc_interval(
        np.repeat(same, 5), np.repeat(range(n), 5), np.repeat(different, 5), np.repeat(pairs, 5, axis=0)
    )
    assert again == pytest.approx((low, high)), "more views of the same heads are not more heads"
    assert intervals.auc_interval(same, range(n), different, pairs) == (low, high), "the seed is fixed"
    # All told apart: not surer than n of n heads allow.
    assert intervals.auc_interval(np.zeros(n), range(n), np.ones(len(pairs)), pairs) == (statistics.wilson(n, n)[0], 1)
    assert intervals.auc_interval(np.ones(n), range(n), np.zeros(len(pairs)), pairs) == (0, statistics.wilson(0, n)[1])
    assert np.isnan(intervals.auc_interval([], [], [], [])).all()
    assert intervals.stretched(0.6, 0.5, 0.9, 2) == pytest.approx((0.4, 1))


def test_an_auc_interval_is_as_wide_as_the_auc_of_other_heads_varies():
    n = 12
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]

    def drawn(seed):
        points = np.random.default_rng(seed).normal(size=(2, n, 3))
        distances = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
        return identification.identified(distances, range(n))

    found = [drawn(seed) for seed in range(60)]
    assert np.mean([f["auc_low"] <= 0.5 <= f["auc_high"] for f in found]) >= 0.85
    assert {f["heads"] * (f["heads"] - 1) for f in found} == {len(pairs)}


VIEWS = tuple((v, v) for v in range(3))
N = 16


def embeddings(shared, seed=0, noise=3.0, shift=0.0):
    """(probes, gallery) by recogniser: ``shared`` numbers tell the head, all others only the picture.

    Pictures of one head in several views have the same noise; ``shift`` moves all probes alike, as a fill does.
    """
    random = np.random.default_rng(seed)
    who, sides = random.normal(size=(N, 1, shared)), []
    for side in range(2):
        points = {}
        for name, numbers in (("facenet", 64), ("dlib", 32)):
            values = noise * random.normal(size=(N, 1, numbers)) + 0.1 * random.normal(size=(N, 3, numbers))
            values[:, :, :shared] = who + 0.1 * random.normal(size=(N, 3, shared))
            points[name] = values + (shift * random.normal(size=numbers) if not side else 0)
        sides.append(points)
    return sides


@pytest.mark.parametrize("who", identification.WHO)
def test_heads_that_are_separable_give_an_auc_of_one_and_random_ones_an_interval_with_one_half(who):
    _, originals = embeddings(4)
    alike = {name: values + 1e-3 for name, values in originals.items()}
    found = identification.Identification(alike, originals, VIEWS).found(who)
    assert (found["auc"], found["rank1"], found["heads"]) == (1, N, N)
    assert 0.6 < found["auc_low"] < 0.9 and found["rank1_low"] == statistics.wilson(N, N)[0]
    # Any model learns these training heads by heart: one that had seen a tested head would tell it.
    found = identification.Identification(*embeddings(0), VIEWS).found(who)
    assert found["auc_low"] < 0.5 < found["auc_high"] and found["rank1"] <= 4


def test_who_learns_tells_more_where_few_numbers_tell_and_a_fill_moves_all():
    both = identification.Identification(*embeddings(6, shift=3.0, noise=1.0), VIEWS)
    plain, learned = both.found(identification.ALL), [both.found(who) for who in identification.RETRAINED]
    assert max(f["auc"] for f in learned) > plain["auc"] + 0.05
    assert max(f["auc_low"] for f in learned) > 0.5


def test_no_head_is_trained_on_and_tested_by_one_model_and_every_two_are_compared():
    for number in (6, 7, 18, 40):
        compared = np.zeros((number, number), int)
        for train, test in retrained.folds(list(range(number))):
            assert not set(train) & set(test) and len(set(train) | set(test)) == number
            assert set(retrained.training_pairs(train).ravel()) == set(train)
            compared[np.ix_(test, test)] += 1
        assert compared.min() > 0
    assert not list(retrained.folds(list(range(5))))


def test_heads_without_a_view_are_left_out_and_too_few_give_no_figure():
    probes, originals = embeddings(4, noise=0.1)
    probes["dlib"][2], probes["facenet"][3, 1] = np.nan, np.nan
    both = identification.Identification(probes, originals, VIEWS)
    assert {who: both.found(who)["heads"] for who in identification.WHO} == {
        "facenet": N,
        "dlib": N - 1,
        "all": N - 1,
        "retrained-distances": N - 1,
        "retrained-elements": N - 1,
    }
    few = identification.Identification(*({k: v[:5] for k, v in side.items()} for side in (probes, originals)), VIEWS)
    assert few.found("retrained-elements")["heads"] == 0 and np.isnan(few.found("retrained-elements")["auc"])
    assert few.found("facenet")["heads"] == 5
    apart = [{name: np.full((N, N, 4), np.nan) for name in ("facenet", "dlib")} for _ in range(2)]
    for side in apart:
        for points in side.values():
            points[range(N), range(N)] = 1.0
    never = identification.Identification(*apart, tuple((v, v) for v in range(N)))
    assert {never.found(who)["heads"] for who in identification.WHO} == {0}, "no two heads are seen in one view"
    none = identification.Identification(probes, originals, ())
    assert {none.found(who)["heads"] for who in identification.WHO} == {0}


def summary_of(numbers, methods=("ours-levelled",)):
    """``Summary`` of made heads with the ``numbers`` of ``embeddings`` and nothing else."""
    from CTADefaceLib.validation.reporting.study_summary import Summary

    random, results = np.random.default_rng(0), {}
    for head in range(N):
        who = random.normal(size=numbers)
        results[f"head {head}"] = {
            state: {
                "views": [
                    {
                        "crop": {
                            name: (np.resize(who, size) + 0.1 * random.normal(size=size)).tolist()
                            for name, size in (("facenet", 512), ("dlib", 128))
                        }
                    }
                    for _ in protocol.read_protocol().views
                ]
            }
            for state in ("original", *methods)
        }
    rules = protocol.read_protocol().as_dict() | {"methods": methods}
    return Summary(results, protocol.Protocol(**rules))


def test_table_of_the_gallery_and_the_cited_figures_say_the_same():
    from CTADefaceLib.identity.measured import method_sentence
    from CTADefaceLib.validation.reporting.cited import cited
    from CTADefaceLib.validation.reporting.tables import gallery_table

    summary = summary_of(numbers=8)
    rows = [row for row in gallery_table(summary).rows if row[0] == "CTADeface mask, levelled fill" and row[2] == "other"]
    assert [row[1] for row in rows] == list(identification.WHO.values())
    content = cited(summary, {"code": "abc"})
    assert content["command"].endswith("--protocol FILE"), "it is not the module's protocol"
    sentence = method_sentence(json.loads(json.dumps(content)))
    for row, found in zip(rows, content["figures"], strict=True):
        assert row[3].startswith(f"{found['rank1']}/{found['heads']}, ") and row[5].startswith(f"{found['auc']:.2f} (")
        assert f"{row[1]} rank-1 {found['rank1']} of {N}" in sentence and f"AUC {row[5]}" in sentence
    assert cited(summary_of(8, ("box-published",)), {})["figures"] == []


def test_box_extends_to_the_front_edge_and_from_the_first_slice_to_its_mean():
    volume = Volume(np.zeros((12, 10, 8), np.int16), Geometry((1, 1, 1), (0, 0, 0), np.diag([-1.0, -1.0, 1.0])))
    warped = np.zeros((12, 10, 8), bool)
    warped[4:9, 5:7, 2:6] = True
    wanted = np.zeros_like(warped)
    wanted[:7, 5:, 2:6] = True
    assert (box.extended(warped, volume) == wanted).all()


def test_protocol_is_read_and_a_bad_one_refused(tmp_path):
    default = protocol.read_protocol()
    assert default.published_view in [view.name for view in default.views]
    assert all(default.views[a].pitch_deg == default.views[b].pitch_deg for a, b in default.neighbours)
    bad = tmp_path / "bad.json"
    for change, message in (
        ({"methods": ["nothing"]}, "unknown methods"),
        ({"published_view": "x"}, "published_view"),
        ({"more": 1}, "no protocol"),
        ({"pitches_deg": 5}, "no protocol"),
        ({"methods": 5}, "no protocol"),
    ):
        bad.write_text(json.dumps(default.as_dict() | change))
        with pytest.raises(InputError, match=message):
            protocol.read_protocol(bad)
    with pytest.raises(InputError, match="cannot be read"):
        protocol.read_protocol(tmp_path / "none.json")


def test_results_of_another_key_or_cut_short_are_not_taken_up(tmp_path):
    kept = store.Store(tmp_path, {})
    kept.save("head", "method", {"key": {"protocol": "a"}, "value": float("nan")})
    assert kept.load("head", "method", {"protocol": "a"})["value"] is None
    assert kept.load("head", "method", {"protocol": "b"}) is None
    path = kept.path("head", "method")
    path.write_text(path.read_text()[:-5])
    assert kept.load("head", "method", {"protocol": "a"}) is None
    assert [p.name for p in path.parent.iterdir()] == ["method.json"]


def test_comments_do_not_change_the_key_but_code_does():
    plain = store._statements("def f():\n    return 1\n")
    assert store._statements('def f():\n    """Doc."""\n    return 1  # why\n') == plain
    assert store._statements("def f():\n    return 2\n") != plain


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The validation of two real heads with a small protocol, without the folder of the report."""
    try:
        require_packages()
        heads.find_cases(CHECK_DATA, HEADS)
    except (MissingPackages, InputError) as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("validation")
    for case in heads.find_cases(CHECK_DATA, HEADS):
        for path in (case.image, case.mask):
            (folder / path.name).symlink_to(path)
    rules = folder / "protocol.json"
    rules.write_text(
        json.dumps(
            protocol.read_protocol().as_dict()
            | {"methods": METHODS, "pitches_deg": [0], "yaws_deg": [0, 15], "size_pixels": 200}
        )
    )

    return [sys.executable, "-m", "CTADefaceLib", "validate", str(folder), "--protocol", str(rules), "--report"]


@pytest.fixture(scope="module")
def run(command, tmp_path_factory):
    """One run of the command that is killed after three results and started again; each test below looks at it.

    ``out`` the folder; ``before`` and ``after`` the times of the results at the kill and at the end, by head and method;
    ``process`` the second one, with what it printed as ``stdout`` and ``stderr``.
    """
    out = tmp_path_factory.mktemp("report") / "out"
    whole = [*command, str(out)]
    environment = os.environ | {"PYTHONPATH": str(ENGINE)}
    with subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 300
        while len(_results(out)) < 3 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    before = _times(out)
    process = subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=600, check=False)
    return SimpleNamespace(out=out, before=before, after=_times(out), process=process)


def _results(out):
    return {(p.parent.name, p.stem): p for p in (out / "work").glob("*/*.json")}


def _times(out):
    return {name: path.stat().st_mtime_ns for name, path in _results(out).items()}


def test_heads_killed_half_way_go_on_and_nothing_is_computed_twice(run):
    assert run.process.returncode == 0, run.process.stderr
    every = len(HEADS) * (1 + len(METHODS))
    assert 3 <= len(run.before) < every
    assert len(run.after) == every and {name: run.after[name] for name in run.before} == run.before
    assert sum("/2 " in line for line in run.process.stderr.splitlines()) == every - len(run.before)
    assert "hospital only" in run.process.stderr and str(run.out / "report.pdf") in run.process.stdout


def test_report_holds_every_table_with_the_heads_numbers(run):
    content = json.loads((run.out / "tables.json").read_text())
    tables = {table["title"]: table for table in content["tables"]}
    assert all(len(row) == len(table["columns"]) for table in tables.values() for row in table["rows"])
    masks = {row[0]: row for row in tables["Masks and what the fills took (paper: Dice)"]["rows"]}
    results = {name: json.loads(path.read_text()) for name, path in _results(run.out).items()}
    ours = [results[head, "ours-levelled"]["measures"] for head in HEADS]
    assert masks["Reference mask, published fill"][2].startswith("1.000")
    assert masks["CTADeface mask, levelled fill"][2].startswith(f"{np.mean([m['dice'] for m in ours]):.3f}")
    assert all(0.8 < m["dice"] < 1 and m["brain_ml"] < 1 for m in ours)
    assert {result["key"]["protocol"] for result in results.values()} == {content["key"]["protocol"]}
    page = (run.out / "report.html").read_text()
    assert "http" not in page.replace("https://www.w3.org", "") and page.count("data:image/png;base64,") == 3
    assert all(head in page for head in HEADS) and "hospital only" in page
    cited = json.loads((run.out / "identity.json").read_text())
    assert cited["made_of"] == content["key"] and {f["title"] for f in cited["figures"]} == {
        "FaceNet",
        "dlib",
        "All recognisers",
    }, "two heads are too few to learn from"
    main = tables["Main results"]
    assert main["columns"].count("AUC, retrained") == 1
    assert (run.out / "report.pdf").read_bytes().startswith(b"%PDF")


def test_levelled_fill_tells_the_attacker_less_than_the_published_one_and_failures_are_listed(run):
    results = {name: json.loads(path.read_text()) for name, path in _results(run.out).items()}
    for head in HEADS:
        levelled = results[head, "ours-levelled"]["measures"]
        assert levelled["attack_depth_only_mm"] - levelled["attack_moved_mm"] <= 0.5
    failed = [(head, method) for (head, method), result in results.items() if result.get("error")]
    text = json.dumps(json.loads((run.out / "tables.json").read_text())["tables"][-2])
    assert all(head in text for head, _ in failed)
