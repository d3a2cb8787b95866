"""The node's configuration: one sentence for each mistake, and the examples of the documentation."""

import configparser
import json
import tomllib

import pytest

from CTADefaceLib.cli.main import build_parser, main
from CTADefaceLib.errors import CTADefaceError, UsageError
from CTADefaceLib.node.config import read_config
from helpers.documents import blocks
from helpers.paths import ROOT

SOUND = """
folder = "node"
[receive]
[[receive.sender]]
ae_title = "PACS"
address = "192.0.2.10"
[[release]]
name = "research"
deidentify_headers = true
[[release.destination]]
name = "archive"
ae_title = "ARCHIVE"
address = "192.0.2.20"
port = 104
"""
# What is put in the place of what, and what the error must name.
MISTAKES = {
    "no TOML": ("[receive]", "[receive", "is not TOML"),
    "no folder": ('folder = "node"', "", "folder: is missing"),
    "no receive": ('[receive]\n[[receive.sender]]\nae_title = "PACS"\naddress = "192.0.2.10"', "", "receive: is missing"),
    "nobody may send": ('[[receive.sender]]\nae_title = "PACS"\naddress = "192.0.2.10"', "", "receive.sender: is missing"),
    "a single table": ("[[receive.sender]]", "[receive.sender]", "at least one table [[receive.sender]]"),
    "no address": ('address = "192.0.2.10"', 'address = "pacs"', "receive.sender[1].address: is 'pacs'; give an address"),
    "bits of the host": ('address = "192.0.2.10"', 'address = "192.0.2.10/24"', "give an address as 192.0.2.10, or a network"),
    "a long title": ('ae_title = "PACS"', 'ae_title = "AVERYLONGAETITLE1"', "give 1 to 16 ASCII characters"),
    "a port of text": (
        "port = 104",
        'port = "104"',
        "release[1].destination[1].port: is '104'; give a number from 1 to 65535",
    ),
    "a port of a fraction": ("port = 104", "port = 104.5", "give a whole number"),
    "no port": ("port = 104", "", "release[1].destination[1].port: is missing"),
    "headers are not decided": ("deidentify_headers = true", "", "deidentify_headers: is missing; give true or false"),
    "headers as text": ("deidentify_headers = true", 'deidentify_headers = "yes"', "give true or false"),
    "a misspelt key": (
        "deidentify_headers = true",
        "deidentify_header = true\ndeidentify_headers = true",
        "did you mean deidentify_headers?",
    ),
    "an unknown key": ("[receive]", "[receive]\nzebra = 1", "receive.zebra: there is no such setting; known are"),
    "a name with a slash": ('name = "research"', 'name = "../x"', "give letters, digits, - and _"),
    "contradicting options": ("deidentify_headers = true", "deidentify_headers = true\nkeep_private = true", "--keep-private"),
    "a key that is not there": (
        "deidentify_headers = true",
        'deidentify_headers = true\npseudonym_key = "no.key"',
        "is no file",
    ),
    "an unknown fill": ("deidentify_headers = true", 'deidentify_headers = true\nfill = "grey"', "choose levelled or"),
    "certificates that are not there": (
        "[receive]",
        '[receive]\ntls = {certificate = "a", key = "b", ca = "c"}',
        "receive.tls.certificate",
    ),
    "watched around the node": ("[receive]", '[receive]\nwatch = "."', "in or around the node's folder"),
}


def written(folder, text):
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_a_sound_configuration_has_defaults(tmp_path):
    config = read_config(written(tmp_path, SOUND))
    assert config.folder == tmp_path / "node" and config.keep_free_bytes == 20e9 and config.web_port is None
    assert (config.receiving.ae_title, config.receiving.port, config.receiving.complete_after_s) == ("CTADEFACE", 11112, 60)
    [release] = config.releases
    assert release.options.deidentify_headers and release.options.overwrite and release.review == "stopped"
    assert release.destinations[0].port == 104


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_in_one_sentence_that_names_file_and_key(tmp_path, mistake, capsys):
    before, after, said = MISTAKES[mistake]
    assert before in SOUND
    path = written(tmp_path, SOUND.replace(before, after, 1))
    with pytest.raises(CTADefaceError) as error:
        read_config(path)
    assert said in str(error.value) and str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    assert main(["node", str(path), "--check"]) in (2, 4) and said in capsys.readouterr().err
    assert not (tmp_path / "node").exists()


def test_two_of_one_name_are_refused(tmp_path):
    second = SOUND[SOUND.index("[[release]]") :]
    with pytest.raises(UsageError, match="two are called 'research'"):
        read_config(written(tmp_path, SOUND + second))
    with pytest.raises(UsageError, match="two are called 'archive'"):
        read_config(written(tmp_path, SOUND + SOUND[SOUND.index("[[release.destination]]") :]))


def test_a_file_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["node", str(tmp_path / "nothing.toml"), "--check"]) == 4
    assert "give the configuration of the node" in capsys.readouterr().err


@pytest.mark.parametrize("number", range(len(blocks(ROOT / "docs" / "node.md", "toml"))))
def test_the_examples_of_the_documentation_are_sound(tmp_path, number, capsys):
    example = blocks(ROOT / "docs" / "node.md", "toml")[number]
    for name in ("node.pem", "node.pem.key", "hospital.pem", "project.key"):
        (tmp_path / name).write_text("")
    whole = (
        example
        if "[receive]" in example
        else SOUND.replace("[receive]", "[receive]\n" * ("[receive" not in example)) + example
    )
    path = written(tmp_path, whole)
    assert tomllib.loads(example)
    assert main(["node", str(path), "--check"]) == 0, capsys.readouterr().err


def test_the_file_to_begin_with_is_the_example(tmp_path, capsys):
    text = (ROOT / "docs" / "node.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == tomllib.loads(blocks(ROOT / "docs" / "node.md", "toml")[0])
    assert main(["node", str(written(tmp_path, text)), "--check"]) == 0, capsys.readouterr().err


def test_status_of_a_node_that_was_never_started(tmp_path, capsys):
    path = written(tmp_path, SOUND)
    assert main(["node", str(path), "--status"]) == 5 and "there is no node yet" in capsys.readouterr().err
    (tmp_path / "node").mkdir()
    assert main(["node", str(path), "--status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["running"] and found["to_deface"] == 0 and found["destinations"][0]["name"] == "research/archive"
    assert main(["node", str(path), "--again", "0000"]) == 2 and "no such study" in capsys.readouterr().err


def test_the_unit_of_systemd_runs_a_command_that_there_is_without_root():
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / "docs" / "cta-deface-node.service")
    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    assert program.endswith("/cta-deface") and build_parser().parse_args(words).config == "/etc/cta-deface/node.toml"
    assert service["User"] not in ("", "root") and service["NoNewPrivileges"] == "yes" and service["Restart"] == "always"
    # The folder of docs/node.md is the one that the unit may write to.
    folder = tomllib.loads(blocks(ROOT / "docs" / "node.md", "toml")[0])["folder"]
    assert folder == f"/var/lib/{service['StateDirectory']}" and service["ProtectSystem"] == "strict"
