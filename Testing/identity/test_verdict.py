"""What the faces in the views say together, and what is cited of the method, without a picture being drawn."""

import json
from types import SimpleNamespace

import pytest

from CTADefaceLib.files.resources import resource
from CTADefaceLib.identity import measured, verdict


def seen(before, after, distance=None):
    return SimpleNamespace(before=before or None, after=after or None, distance=distance)


FAR, BETWEEN, NEAR = 0.9, (verdict.SAME_HEAD + verdict.LIKE_SAME_HEAD) / 2, 0.3


@pytest.mark.parametrize(
    "faces, expected, number",
    [
        ([seen(1, 0, FAR)] * 12, "pass", FAR),
        ([seen(1, 0, NEAR)] * 12, "fail", NEAR),
        ([seen(1, 0, BETWEEN)] * 12, "warn", BETWEEN),
        ([seen(1, 1, FAR)] + [seen(1, 0, FAR)] * 11, "warn", 1),
        ([seen(1, 1, FAR)] * 3 + [seen(0, 0)] * 9, "fail", 3),
        ([seen(0, 1, FAR)] + [seen(0, 0)] * 11, "fail", 1),
        ([seen(0, 0)] * 12, "not possible", 0),
        ([seen(1, 0, FAR)] + [seen(0, 0)] * 11, "not possible", 1),
    ],
)
def test_verdict_and_the_number_it_rests_on(faces, expected, number):
    result = verdict.judge(faces)
    assert (result[0], result[3]) == (expected, number)
    assert result[1].endswith(".") and result[2]


STORED = {
    "command": "cta-deface validate DATA --report OUT",
    "probe": "CTADeface mask, levelled fill",
    "figures": [
        {
            "title": "FaceNet",
            "heads": 20,
            "rank1": 3,
            "rank1_low": 0.0524,
            "rank1_high": 0.3604,
            "auc": 0.654,
            "auc_low": 0.51,
            "auc_high": 0.788,
        },
        {
            "title": "Retrained, elements",
            "heads": 20,
            "rank1": 20,
            "rank1_low": 0.8389,
            "rank1_high": 1.0,
            "auc": 1.0,
            "auc_low": 0.8,
            "auc_high": 1.0,
        },
    ],
}


def test_method_is_cited_with_its_intervals_and_command_or_said_to_be_unmeasured(tmp_path):
    path = tmp_path / "identity.json"
    path.write_text(json.dumps(STORED))
    assert measured.method_sentence(measured.measured(path)) == (
        "The method (CTADeface mask, levelled fill, against all originals in other views), as cta-deface validate DATA "
        "--report OUT measured it, with 95 % intervals: FaceNet rank-1 3 of 20 (5 to 36 %), AUC 0.65 (0.51 to 0.79); "
        "Retrained, elements rank-1 20 of 20 (84 to 100 %), AUC 1.00 (0.80 to 1.00). An AUC of 0.5 is chance."
    )
    for content in ('{"figures": []}', '{"figures": null}', "{", ""):
        path.write_text(content)
        assert measured.measured(path) is None
    assert measured.measured(tmp_path / "none.json") is None
    text = measured.method_sentence(None)
    assert "has not been measured" in text and "cta-deface validate" in text


def test_the_shipped_figures_are_whole_or_none():
    content = json.loads(resource(measured.FILE).read_text())
    assert set(content) == {"figures"} or set(content) == {"command", "probe", "figures", "protocol", "made_of"}
    for found in content["figures"]:
        assert 0 <= found["rank1_low"] <= found["rank1"] / found["heads"] <= found["rank1_high"] <= 1
        assert 0 <= found["auc_low"] <= found["auc"] <= found["auc_high"] <= 1
    if content["figures"]:
        assert {"FaceNet", "dlib", "All recognisers", "Retrained, distances", "Retrained, elements"} == {
            found["title"] for found in content["figures"]
        }
        assert len(content["made_of"]["code"]) == 64
