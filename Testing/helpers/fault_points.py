"""Faults at every call that changes the file system: killed there, or the disk is full or read-only from there on.

``trials`` runs a scenario once for each such call and fault, then the same command again, and compares what there is with
an undisturbed run. Linux: the command runs in a forked child.
"""

import csv
import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import signal
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial

KILL, FULL, READ_ONLY = "kill", "full disk", "read-only"
NOTHING, PART, COMPLETE = "nothing", "completed by the rerun", "complete"
EVENTS = {"open", "os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.truncate", "fsync"}
# What a full disk still allows.
FREES_SPACE = {"os.remove", "os.rmdir", "os.rename"}
ERRNO = {FULL: errno.ENOSPC, READ_ONLY: errno.EROFS}
MOST_POINTS = 2000
# The slices between the first two and the last ones of a series: all alike.
DULL = re.compile(r"/00(0[3-9]|[12]\d|3[0-8])\.dcm$")


@dataclass
class Scenario:
    """``prepare(folder)`` makes the inputs below a folder, ``command(folder)`` runs there and returns the exit code.

    ``released`` the folders that are given away, ``judged`` those whose files count as results; ``repeats``: a second run
    of the whole is no error; ``retry`` the command that tries again what has failed, where the same one does not.
    """

    name: str
    prepare: object
    command: object
    released: tuple = ("out",)
    judged: tuple = ("out", "out-hospital-only")
    repeats: bool = False
    retry: object = None


@dataclass
class Outcome:
    """Counts of a scenario by what was there after the fault, and sentences about what was wrong."""

    tried: int = 0
    counts: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)


def trials(scenario, place, fault=KILL, calls=range(1, MOST_POINTS)):
    """``Outcome`` of a fault at each of ``calls`` (numbers, rising) that the scenario's command makes, in a folder below
    ``place``."""
    base, prepared = place / "case", place / "prepared"
    prepared.mkdir(parents=True)
    # Prepared once, at the path where it is used, because what is prepared may name it.
    base.mkdir()
    scenario.prepare(base)
    shutil.copytree(base, prepared, symlinks=True, dirs_exist_ok=True)
    empty = _without_key(state(base, scenario))
    code, said = in_child(lambda: scenario.command(base))
    outcome = Outcome()
    if code != 0:
        outcome.faults.append(f"{scenario.name}: the undisturbed run ended with {code}: {said}")
        return outcome
    whole = state(base, scenario)
    for number in calls:
        shutil.rmtree(base)
        shutil.copytree(prepared, base, symlinks=True)
        code, said = in_child(partial(scenario.command, base), fault, number, base)
        if code == 0 and not _struck(base):
            return outcome
        outcome.tried += 1
        _judge(scenario, base, fault, code, said, whole, empty, outcome, f"{scenario.name}, {fault} at call {number}")
        _struck(base)
    return outcome


def _struck(base):
    mark = base.with_name(base.name + ".struck")
    struck = mark.exists()
    mark.unlink(missing_ok=True)
    return struck


def _judge(scenario, base, fault, code, said, whole, empty, outcome, where):
    wrong = []
    if fault == KILL and code != -signal.SIGKILL:
        wrong.append(f"ended with {code} instead of being killed: {said[-300:]}")
    if fault != KILL and ("unexpected" in said or "Traceback" in said or code < 0):
        wrong.append(f"ended with {code}: {said[-300:]}")
    now = state(base, scenario)
    # The key for the UIDs is made first and stays, whatever becomes of the study.
    seen = NOTHING if _without_key(now) == empty else COMPLETE if now == whole else PART
    outcome.counts[seen] += 1
    wrong += in_release(base, scenario)
    if fault == FULL and hidden(base):
        wrong.append(f"left {hidden(base)}")
    again, said = in_child(lambda: scenario.command(base))
    done = state(base, scenario)
    if done != whole:
        wrong.append(f"the rerun ({again}) left other files: {_difference(done, whole)}; {said[-300:]}")
    if again != 0 and not (not scenario.repeats and seen == COMPLETE and "exists already" in said):
        wrong.append(f"the rerun ended with {again}: {said[-300:]}")
    if hidden(base):
        wrong.append(f"after the rerun there is still {hidden(base)}")
    outcome.faults += [f"{where}: {what}" for what in wrong]


def in_release(base, scenario):
    """What is wrong with what lies in folders that are given away, at any moment."""
    wrong = []
    for folder in scenario.released:
        for path in (base / folder).rglob("*"):
            name = path.relative_to(base).as_posix()
            if "mask" in path.name or "record" in path.name:
                wrong.append(f"{name} in the release folder")
            elif any(part.startswith(".") for part in path.relative_to(base).parts):
                wrong.append(f"{name}, unfinished, in the release folder")
    return wrong


def _without_key(found):
    return {name: content for name, content in found.items() if not name.endswith("uids.key")}


def _difference(one, other):
    return {
        name: (one.get(name), other.get(name))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    }


def visible(base):
    """Paths of all files that are not hidden, below ``base``; the key of UIDs and the manifest are no results."""
    paths = (path.relative_to(base) for path in base.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if not any(part.startswith(".") for part in path.parts) and path.name not in ("uids.key", "batch.jsonl", "batch.lock")
    }


def hidden(base):
    """What was left of a publication below ``base``."""
    return [path.relative_to(base).as_posix() for path in base.rglob("*") if path.name.startswith(".cta-deface")]


def state(base, scenario):
    """File -> what it says, of all visible results; a series' files count as one, so that a half one is told from a whole."""
    found = {}
    for folder in scenario.judged:
        for path in sorted((base / folder).rglob("*")):
            parts = path.relative_to(base).parts
            if path.is_file() and not any(part.startswith(".") for part in parts) and path.suffix != ".lock":
                found["/".join(parts)] = _content(path)
    return _last_records({name: content for name, content in found.items() if content is not None})


def _last_records(found):
    """``found`` with the last record of each DICOM series alone: a series gets new UIDs, and so a new record, in each run."""
    series = [
        name for name, content in found.items() if isinstance(content, dict) and "files_sha256" in content.get("output", ())
    ]
    last = {name.rsplit("_record", 1)[0]: name for name in sorted(series, key=lambda name: (len(name), name))}
    others = {name: content for name, content in found.items() if name not in series}
    return others | {f"{stem}, last record": found[name] for stem, name in last.items()}


def _content(path):
    """What must be the same in two runs of one command: not times, not random UIDs."""
    if path.name == "uids.key":
        return len(path.read_bytes())
    if path.suffix == ".dcm":
        import pydicom

        return hashlib.sha256(pydicom.dcmread(path).PixelData).hexdigest()
    if path.name == "batch.jsonl":
        return _last_statuses(path)
    if path.suffix == ".json":
        return _timeless(path, json.loads(path.read_text()))
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as table:
            return [{key: row[key] for key in row if key not in ("seconds", "time")} for row in csv.DictReader(table)]
    if path.suffix == ".html":
        return path.read_text().count("</html>")
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return hashlib.sha256(content).hexdigest()


def _timeless(path, record):
    known = {key: value for key, value in record.items() if key not in ("created", "seconds")}
    if "files_sha256" in known.get("output", {}):
        known["output"] = known["output"] | {"files_sha256": _is_of_its_files(path, known["output"]["files_sha256"])}
    return known


def _is_of_its_files(path, digest):
    """Do the files of a series have the hash that its record, at ``path``, gives? UIDs differ from run to run."""
    from CTADefaceLib.release.hospital_folder import SUFFIX
    from CTADefaceLib.release.record import file_digests, files_sha256

    for hospital in path.parents:
        if hospital.name.endswith(SUFFIX):
            release = hospital.with_name(hospital.name.removesuffix(SUFFIX))
            series = (release / path.relative_to(hospital)).with_name(path.name.split("_record")[0])
            return series.is_dir() and files_sha256(file_digests(series)) == digest
    return False


def _last_statuses(path):
    """Of each case what is known at the end, but for what tells how often it was tried."""
    from CTADefaceLib.batch.manifest import Manifest

    entries = Manifest(path).read()[1]
    kept = ("status", "outputs", "mask", "record", "error", "failed_checks", "review")
    # Begun is as good as nothing: the next run does it.
    return {
        name: {key: entry.get(key) for key in kept} for name, entry in sorted(entries.items()) if entry["status"] != "started"
    } or None


def in_child(action, fault=None, number=0, below=None):
    """(exit code, what was said) of ``action()`` in a forked child that meets ``fault`` at a call."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code, said = 70, io.StringIO()
        try:
            with redirect_stdout(said), redirect_stderr(said):
                if fault:
                    _strike(fault, number, below)
                code = int(action() or 0)
        except BaseException as error:
            said.write(f"{type(error).__name__}: {error}")
        finally:
            with suppress(OSError):
                os.write(writing, said.getvalue()[-4000:].encode())
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def _strike(fault, number, below):
    """From now on, the ``number``-th change of the file system below a folder meets the fault; all later ones too."""
    calls = 0

    def hook(event, arguments):
        nonlocal calls
        if event not in EVENTS or not _changes(event, arguments):
            return
        path = _path(event, arguments)
        if not path.startswith(f"{below}/") or DULL.search(path):
            return
        calls += 1
        if calls < number:
            return
        if calls == number:
            os.close(os.open(f"{below}.struck", os.O_CREAT | os.O_WRONLY))
        if fault == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if not (fault == FULL and event in FREES_SPACE):
            raise OSError(ERRNO[fault], os.strerror(ERRNO[fault]), _path(event, arguments))

    real = os.fsync

    def fsync(handle):
        hook("fsync", (handle,))
        return real(handle)

    os.fsync = fsync
    sys.addaudithook(hook)


def _changes(event, arguments):
    if event != "open":
        return True
    mode, flags = arguments[1:3]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _path(event, arguments):
    """The absolute path that a call is about, also of one relative to an open folder."""
    if event == "fsync":
        return os.readlink(f"/proc/self/fd/{arguments[0]}")
    name = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
    if event in ("os.remove", "os.rmdir", "os.mkdir") and not os.path.isabs(name):
        handle = arguments[-1]
        if isinstance(handle, int) and handle >= 0:
            return os.path.join(os.readlink(f"/proc/self/fd/{handle}"), name)
    return os.path.abspath(name) if name else ""
