"""What a node tells: status, page, metrics and log, and that none of them says who a patient is."""

import json
import re
import urllib.error
import urllib.request

import pydicom
import pytest

from CTADefaceLib.cli.main import main
from CTADefaceLib.node.logs import NodeLog
from CTADefaceLib.node.node_status import look
from CTADefaceLib.node.web import Web
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_node import Archive, quick_node, send, until


@pytest.fixture(scope="module")
def seen(tmp_path_factory, mask, studies):
    """(node with a study that was sent, one that is held and one that arrives; what it has logged)."""
    folder = tmp_path_factory.mktemp("seen")
    # A study whose slices do not fit together, and whose headers hold names where none belong.
    gap = folder / "gap"
    maker.write_series(gap, maker.sparse(), change=lambda d, k: setattr(d, "SeriesDescription", "Secret^Jane"))
    for path in readers.sorted_files(gap)[10:14]:
        path.unlink()
    with Archive() as archive, pytest.MonkeyPatch.context() as patch:
        lines = []
        node = quick_node(folder, archive.port, mask, log=NodeLog())
        patch.setattr("CTADefaceLib.node.logs.print", lambda text, **how: lines.append(text), raising=False)
        node.receiver.start()
        for sender in node.senders:
            sender.start()
        for place in (studies[0], gap):
            assert set(send(node.receiver.port, place)) == {0}
        until(lambda: len(node.arrivals.complete()) == 2)
        node.look()
        until(lambda: look(node.config, node.ledger).destinations[0].sent)
        node.look()
        send(node.receiver.port, studies[1], most=3, end="abort")
        yield node, lines
        node._stop_senders()
        node.receiver.stop()


def identifiers(folders):
    """Values of the originals' headers that say who a patient is, and all UIDs."""
    found = set()
    for folder in folders:
        for path in folder.rglob("*.dcm"):
            header = pydicom.dcmread(path, stop_before_pixels=True)
            found |= {str(header[keyword].value) for keyword in maker.PATIENT if len(str(header[keyword].value)) > 2}
            found |= {str(element.value) for element in header if element.VR == "UI" and "." in str(element.value)}
    return found - {str(uid) for uid in pydicom.uid.UID_dictionary}


def get(web, path, host=None):
    request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers={"Host": host} if host else {})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


@pytest.fixture
def web(seen):
    node, _lines = seen
    one = Web(0, lambda: look(node.config, node.ledger))
    one.start()
    yield one
    one.stop()


def test_the_status_says_what_is_there(seen):
    node, _lines = seen
    found = look(node.config, node.ledger)
    assert (found.arriving, found.arriving_files, found.to_deface) == (1, 3, 0)
    assert found.destinations[0].sent == 1 and found.destinations[0].waiting == 0
    [held] = found.held
    assert held.kind == "failed" and "missing" in held.reason


def test_the_page_and_the_metrics_say_the_same_as_the_status(seen, web):
    page, numbers = get(web, "/"), json.loads(get(web, "/status.json"))
    assert "1 studies, 3 files" in page and "failed" in page and "research/archive" in page
    assert numbers["arriving_files"] == 3 and "reason" not in numbers["held"][0]
    from prometheus_client.parser import text_string_to_metric_families

    metrics = {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(get(web, "/metrics"))
        for one in family.samples
    }
    assert metrics[("cta_deface_arriving_files",)] == 3 and metrics[("cta_deface_held_studies", "failed")] == 1
    assert metrics[("cta_deface_sent_studies", "research/archive")] == 1
    # The page loads nothing from elsewhere.
    assert not re.search(r"https?://|src=|@import", page)


def test_the_page_is_for_this_machine_alone(seen, web):
    assert web._server.server_address[0] == "127.0.0.1"
    for host, path in (("evil.example:80", "/"), (None, "/etc/passwd")):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(web, path, host)


def test_nothing_that_is_told_says_who_a_patient_is(seen, web, studies, tmp_path, capsys):
    node, lines = seen
    gap = node.config.folder.parent / "gap"
    secrets = identifiers([*studies, gap])
    released = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (node.config.folder / "release").rglob("*.dcm")}
    assert len(secrets) > 80 and "ID4711" in secrets and len(released) == 40
    told = "\n".join([*lines, get(web, "/"), get(web, "/status.json"), get(web, "/metrics")])
    assert main(["node", str(node.config.folder.parent / "node.toml"), "--status"]) == 0
    told += capsys.readouterr().out
    assert not [secret for secret in secrets | released if secret in told]
    assert not re.search(r"\d+(\.\d+){4,}", told.replace("127.0.0.1", "")), "a UID"


def test_the_log_is_json_and_tells_the_way_of_each_study(seen):
    _node, lines = seen
    events = [json.loads(line) for line in lines]
    [sent] = [line["study"] for line in events if line["event"] == "sent"]
    assert [line["event"] for line in events if line.get("study") == sent] == [
        "arriving",
        "complete",
        "defaced",
        "released",
        "sent",
        "finished",
    ]
    assert any(line["event"] == "held" and line["reason"] == "failed" for line in events)


def test_the_log_takes_no_fact_that_is_not_foreseen():
    log = NodeLog(quiet=True)
    log("sent", study="ab", files=3)
    for facts in ({"patient": "Jane"}, {"files": "Jane"}):
        with pytest.raises(TypeError, match="is no fact"):
            log("sent", **facts)
