"""The validation: its numbers on made cases with known answers, and the whole command on three real heads."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CHECK_DATA, ROOT
from CTADefaceLib.errors import InputError, MissingPackages
from CTADefaceLib.validation import box, gallery, heads, measures, metrics, protocol, statistics, store
from CTADefaceLib.validation.packages import require_packages
from CTADefaceLib.volume import Geometry, Volume

HEADS = ("pt_184", "pt_293", "pt_328")
METHODS = ("reference-published", "ours-levelled", "box-published")


def test_metrics_of_two_cubes():
    first, second = np.zeros((2, 20, 20, 20), bool)
    first[5:15, 5:15, 5:15] = True
    second[5:15, 5:15, 7:17] = True
    assert metrics.dice(first, second) == pytest.approx(0.8)
    distances = metrics.surface_distances(first, second, (1.0, 1.0, 1.5))
    assert metrics.hausdorff95(distances) == pytest.approx(3.0)
    assert metrics.surface_dice(distances, 3.0) == 1.0 > metrics.surface_dice(distances, 1.0)
    assert metrics.surface_distances(first, np.zeros_like(first), (1, 1, 1)) is None


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
    assert statistics.mcnemar_p([1] * 6 + [0] * 4, [0] * 10) == pytest.approx(2 * 0.5 ** 6)
    assert statistics.mcnemar_p([1, 0], [1, 0]) == 1


def test_friedman_and_signed_rank_of_a_constant_order():
    low = np.arange(8.0)
    groups = {"a": low, "b": low + 1, "c": low + 3}
    # Every head ranks a < b < c: chi2 = 2 n = 16 with 2 degrees of freedom.
    assert statistics.friedman(list(groups.values())) == pytest.approx(np.exp(-8))
    tested = statistics.signed_rank(groups, [("a", "b"), ("a", "c"), ("a", "a")])
    assert tested["a", "b"][0] == pytest.approx(2 * 0.5 ** 8)
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
    near = gallery.identified(gallery.distance_matrix(originals + 0.01, originals, pairs), range(6))
    assert (near["rank1"], near["heads"], near["auc"]) == (6, 6, 1.0)
    assert near["chance"] == pytest.approx(1 / 6)
    alike = gallery.identified(gallery.distance_matrix(np.zeros_like(originals), np.ones_like(originals), pairs),
                               range(6))
    assert (alike["rank1"], alike["auc"]) == (0, 0.5)
    probes = originals.copy()
    probes[0], probes[1, 0] = np.nan, np.nan
    distances = gallery.distance_matrix(probes, originals, pairs)
    assert np.isnan(distances[0]).all() and np.isfinite(distances[1]).all()
    assert gallery.identified(distances, range(6))["heads"] == 5
    assert gallery.auc([1, 4], [2, 3]) == 0.5


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
    for change, message in (({"methods": ["nothing"]}, "unknown methods"), ({"published_view": "x"}, "published_view"),
                            ({"more": 1}, "no protocol")):
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
def sample(tmp_path_factory):
    """(run(out, environment) -> process, protocol) of three real heads with a small protocol."""
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
    rules.write_text(json.dumps(protocol.read_protocol().as_dict() | {
        "methods": METHODS, "pitches_deg": [0], "yaws_deg": [0, 15], "size_pixels": 200}))

    command = [sys.executable, "-m", "CTADefaceLib", "validate", str(folder), "--protocol", str(rules), "--report"]

    def start(out):
        return subprocess.Popen([*command, str(out)], env=os.environ | {"PYTHONPATH": str(ROOT / "CTADeface")},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return SimpleNamespace(start=start, out=folder / "out", folder=folder)


def _results(out):
    return {(p.parent.name, p.stem): p for p in (out / "work").glob("*/*.json")}


def test_three_heads_killed_half_way_go_on_and_nothing_is_computed_twice(sample):
    process = sample.start(sample.out)
    deadline = time.monotonic() + 300
    while len(_results(sample.out)) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {name: path.stat().st_mtime_ns for name, path in _results(sample.out).items()}
    every = len(HEADS) * (1 + len(METHODS))
    assert 3 <= len(before) < every
    going_on = sample.start(sample.out)
    out, errors = going_on.communicate(timeout=600)
    assert going_on.returncode == 0, errors
    after = {name: path.stat().st_mtime_ns for name, path in _results(sample.out).items()}
    assert len(after) == every and {name: after[name] for name in before} == before
    assert sum("/3 " in line for line in errors.splitlines()) == every - len(before)
    assert "hospital only" in errors and str(sample.out / "report.pdf") in out


def test_report_holds_every_table_with_the_heads_numbers(sample):
    content = json.loads((sample.out / "tables.json").read_text())
    tables = {table["title"]: table for table in content["tables"]}
    assert all(len(row) == len(table["columns"]) for table in tables.values() for row in table["rows"])
    masks = {row[0]: row for row in tables["Masks and what the fills took (paper: Dice)"]["rows"]}
    results = {name: json.loads(path.read_text()) for name, path in _results(sample.out).items()}
    ours = [results[head, "ours-levelled"]["measures"] for head in HEADS]
    assert masks["Reference mask, published fill"][2].startswith("1.000")
    assert masks["CTADeface mask, levelled fill"][2].startswith(f"{np.mean([m['dice'] for m in ours]):.3f}")
    assert all(0.8 < m["dice"] < 1 and m["brain_ml"] < 1 for m in ours)
    assert {result["key"]["protocol"] for result in results.values()} == {content["key"]["protocol"]}
    page = (sample.out / "report.html").read_text()
    assert "http" not in page.replace("https://www.w3.org", "") and page.count("data:image/png;base64,") == 3
    assert all(head in page for head in HEADS) and "hospital only" in page
    assert (sample.out / "report.pdf").read_bytes().startswith(b"%PDF")


def test_levelled_fill_tells_the_attacker_less_than_the_published_one_and_failures_are_listed(sample):
    results = {name: json.loads(path.read_text()) for name, path in _results(sample.out).items()}
    for head in HEADS:
        levelled = results[head, "ours-levelled"]["measures"]
        assert levelled["attack_depth_only_mm"] - levelled["attack_moved_mm"] <= 0.5
    failed = [(head, method) for (head, method), result in results.items() if result.get("error")]
    text = json.dumps(json.loads((sample.out / "tables.json").read_text())["tables"][-2])
    assert all(head in text for head, _ in failed)
    shutil.rmtree(sample.out)
