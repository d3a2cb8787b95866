"""A node between two Orthancs, all three killed at random: what was lost, sent twice, or left with a face.

Studies are made of one real CT series: whole heads, upper halves, two series, and some that must not leave (a third of a
head, which the gate stops; one with a gap, which cannot be defaced). One Orthanc sends them, another one is the archive;
node, sender and archive are killed (SIGKILL) at random moments and started again. At the end each study must be held, or
lie in the archive once and whole, in the very files that the gate has released; dciodvfy looks at a part of what arrived.
With ``--kills 0 --shrink 1`` the figures are those of a quiet day. Needs Debian's orthanc and dicom3tools; Linux.
"""

import argparse
import collections
import contextlib
import csv
import hashlib
import json
import os
import queue
import random
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from common import ENGINE, Bar, bars_as_dicts, machine_facts, report_bars, write_json
from helpers.dicom_node import ARCHIVE, SENDER, Process, free_port, write_config
from helpers.orthanc import PROGRAM, Orthanc
from helpers.paths import DICOM_DATA

# What a study is made of, by its number, and whether it may leave.
KINDS = ("half", "half", "whole", "half", "third", "half", "two", "half", "gap", "half")
STAYS = {"third", "gap"}
SENDERS = 2
DAY = 300


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DICOM_DATA, metavar="FOLDER", help="folder of one CT series of a head")
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--kills", type=int, default=24, help="of node, sender and archive in all")
    parser.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds between two kills on average")
    parser.add_argument("--shrink", type=int, default=2, help="take every n-th pixel of each row and column (default 2)")
    parser.add_argument("--only", choices=sorted(set(KINDS)), help="only studies of this kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=3600.0, metavar="S", help="give up after so many seconds")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args()
    if PROGRAM is None:
        raise SystemExit("Orthanc is missing: apt-get install orthanc")
    if not args.data.is_dir():
        raise SystemExit(f"{args.data}: no such folder; name it with --data or CTADEFACE_DICOM_DATA.")
    os.environ["PYTHONPATH"] = str(ENGINE)
    with tempfile.TemporaryDirectory(prefix="node-") as place:
        figures = Trial(Path(place), args).run()
    print(json.dumps(figures, indent=1))
    bars = [
        Bar("studies lost", figures["lost"], "<=", 0),
        Bar("studies twice, or in parts", figures["twice_or_in_parts"], "<=", 0),
        Bar("files that the gate has not released", figures["not_released"], "<=", 0),
        Bar("studies that left and must not", figures["must_not_leave"], "<=", 0),
        Bar("kinds of new errors of dciodvfy", figures["new_errors"], "<=", 0),
    ]
    code = report_bars(bars)
    write_json(args.output / "node.json", {"machine": machine_facts(), "figures": figures, "bars": bars_as_dicts(bars)})
    return code


class Trial:
    """All of it, in ``place``."""

    def __init__(self, place, args):
        self.place, self.args, self.random = place, args, random.Random(args.seed)
        archive_port = free_port()
        self.config = write_config(place, archive_port, receive="most_associations = 20", destination="timeout_s = 20")
        text = self.config.read_text().replace("deidentify_headers = false", "deidentify_headers = true")
        self.config.write_text(
            text.replace("complete_after_s = 0.5", "complete_after_s = 2").replace("keep_free_gb = 0", "keep_free_gb = 1")
        )
        self.node_port = _port_of(self.config)
        self.sender = Orthanc(place / "sender", SENDER, {"node": ("CTADEFACE", self.node_port)})
        self.archive = Orthanc(place / "archive", ARCHIVE, port=archive_port)
        self.kills, self.peak = collections.Counter(), 0

    def run(self):
        with self.sender, self.archive:
            originals = self._upload()
            started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            self.node = Process(self.config)
            self.node.wait_until_it_listens()
            todo = queue.Queue()
            for study in originals.names:
                todo.put(study)
            threads = [threading.Thread(target=self._send, args=(todo,), daemon=True) for _ in range(SENDERS)]
            for thread in threads:
                thread.start()
            self._disturb(started)
            for thread in threads:
                thread.join()
            leaving = sum(kind not in STAYS for kind, _count in originals.patients.values())
            self._settle(started, len(originals.names), leaving)
            seconds = time.monotonic() - started
            self._note_peak()
            self.node.end()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cores = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
            return self._judged(originals) | self._cost(originals, seconds, cores)

    def _upload(self):
        """Make the studies, and put them into the sender."""
        made = Originals(self.args)
        for number in range(self.args.studies):
            kind = self.args.only or KINDS[number % len(KINDS)]
            folder = self.place / "study"
            made.write(folder, kind, number)
            made.names += self.sender.upload(folder)
            for path in folder.iterdir():
                path.unlink()
        return made

    def _send(self, todo):
        """A sender that tries again until the node has taken a whole study."""
        while True:
            try:
                study = todo.get_nowait()
            except queue.Empty:
                return
            while True:
                try:
                    if self.sender.send(study, "node") == 0:
                        break
                except (OSError, ValueError):
                    time.sleep(0.5)

    def _disturb(self, started):
        """Kill node, sender and archive in random order at random moments, and start them again."""
        for _ in range(self.args.kills):
            self._wait(self.random.uniform(0.4, 1.6) * self.args.every, started)
            what = self.random.choice(("node", "node", "sender", "archive"))
            self.kills[what] += 1
            print(f"{time.monotonic() - started:7.1f} s: kill {what}", file=sys.stderr, flush=True)
            if what == "node":
                self._note_peak()
                self.node.kill()
                self._wait(self.random.uniform(0, 2), started)
                self.node = Process(self.config)
            else:
                one = getattr(self, what)
                one.kill()
                self._wait(self.random.uniform(0, 4), started)
                one.start()

    def _wait(self, seconds, started):
        if time.monotonic() - started > self.args.patience:
            raise SystemExit("patience is over: see --patience")
        time.sleep(seconds)

    def _settle(self, started, studies, leaving):
        """Wait until every study that may leave was sent, and every other one is held, or patience is over.

        One during which the node was killed three times is set aside for a minute or more.
        """
        while True:
            time.sleep(1)
            self.status = status = self._status()
            done = status["finished"] >= leaving and status["finished"] + len(status["held"]) >= studies
            if done or time.monotonic() - started > self.args.patience:
                return

    def _status(self):
        from CTADefaceLib.node.config import read_config
        from CTADefaceLib.node.node_status import status_of

        return status_of(read_config(self.config)).as_dict()

    def _note_peak(self):
        """The kernel's own peak of the node's memory."""
        with contextlib.suppress(OSError), open(f"/proc/{self.node.pid}/status", encoding="ascii") as lines:
            self.peak = max([self.peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))])

    def _judged(self, originals):
        """What has become of the studies, from what lies in the archive."""
        import pydicom

        folder = self.config.parent / "node" / "release"
        released = {
            str(pydicom.dcmread(path).SOPInstanceUID): _pixels(pydicom.dcmread(path)) for path in folder.rglob("*.dcm")
        }
        got, errors, looked_at = collections.defaultdict(list), set(), 0
        not_released = 0
        for number, content in enumerate(self.archive.files()):
            path = self.place / "one.dcm"
            path.write_bytes(content)
            dataset = pydicom.dcmread(path)
            uid = str(dataset.SOPInstanceUID)
            not_released += uid in originals.uids or released.get(uid) != _pixels(dataset)
            place = float(dataset.ImagePositionPatient[2])
            got[str(dataset.PatientID)].append((str(dataset.SeriesInstanceUID), place))
            if number % 40 == 0:
                errors |= _errors(path) - originals.errors
                looked_at += 1
        pseudonyms = self._pseudonyms()
        leave = {patient: count for patient, (kind, count) in originals.patients.items() if kind not in STAYS}
        wrong = [
            patient
            for patient, count in leave.items()
            if (files := got.get(pseudonyms.get(patient, ""), []))
            and (len(set(files)) != count or len({series for series, _place in files}) != originals.series[patient])
        ]
        arrived = [patient for patient in originals.patients if got.get(pseudonyms.get(patient, ""))]
        held = collections.Counter(one["kind"] for one in self.status["held"])
        return {
            "studies": len(originals.patients),
            "kills": dict(self.kills),
            "arrived": len(arrived),
            "held": dict(held),
            "lost": sum(patient not in arrived for patient in leave),
            "twice_or_in_parts": len(wrong),
            "not_released": not_released,
            "must_not_leave": sum(patient in arrived for patient in originals.patients if patient not in leave),
            "files": sum(map(len, got.values())),
            "new_errors": len(errors),
            "looked_at_by_dciodvfy": looked_at,
        }

    def _pseudonyms(self):
        """{patient ID: pseudonym} of the node's table."""
        with open(self.config.parent / "node/hospital/research/patients.csv", newline="", encoding="utf-8") as rows:
            return {row["patient_id"]: row["pseudonym"] for row in csv.DictReader(rows)}

    def _cost(self, originals, seconds, cores):
        """Time, memory and bytes; ``per_day`` for so many head CTs."""
        own = self.config.parent / "node"
        size = {
            name: sum(path.stat().st_size for path in (own / name).rglob("*") if path.is_file())
            for name in ("studies", "release", "hospital")
        }
        logged = [json.loads(line) for line in self.node.lines().splitlines() if line.startswith("{")]
        sent = [line["seconds"] for line in logged if line["event"] == "sent"]
        studies = len(originals.patients)
        return {
            "slices": originals.slices,
            "seconds": round(seconds, 1),
            "seconds_per_study": round(seconds / studies, 2),
            "core_seconds_per_study": round(cores / studies, 2),
            "seconds_to_send_a_study": round(float(np.median(sent)), 2) if sent else None,
            "peak_gb": round(self.peak / 1e9, 2),
            "mb_per_study": {name: round(bytes_ / studies / 1e6, 2) for name, bytes_ in size.items()},
            f"hours_for_{DAY}_studies": round(DAY * seconds / studies / 3600, 2),
            f"core_hours_for_{DAY}_studies": round(DAY * cores / studies / 3600, 2),
            f"gb_for_{DAY}_studies": round(DAY * sum(size.values()) / studies / 1e9, 1),
        }


class Originals:
    """Studies made of one series: their names in the sender, patients, UIDs, and what dciodvfy finds wrong in them already."""

    def __init__(self, args):
        from helpers.dicom_readers import sorted_files

        self.paths, self.shrink = sorted_files(args.data), args.shrink
        self.names, self.patients, self.series, self.uids, self.errors, self.slices = [], {}, {}, set(), set(), 0

    def write(self, folder, kind, number):
        """Write the files of a study; the patient is called by its number."""
        from pydicom.uid import generate_uid

        count, patient = len(self.paths), f"TRIAL{number:04}"
        start = {"half": count // 2, "third": 2 * count // 3}.get(kind, 0)
        taken = [path for place, path in enumerate(self.paths) if place >= start]
        if kind == "gap":
            taken = taken[: count // 2] + taken[count // 2 + 4 :]
        study, frame = generate_uid(), generate_uid()
        folder.mkdir(exist_ok=True)
        series = [taken, taken[::2]] if kind == "two" else [taken]
        for place, paths in enumerate(series, 1):
            uid = generate_uid()
            for path in paths:
                self._copy(path, folder, (study, uid, frame), patient, place, thick=place == 2)
        self.patients[patient] = kind, sum(map(len, series))
        self.series[patient] = len(series)
        self.slices += sum(map(len, series))

    def _copy(self, path, folder, uids, patient, place, thick):
        import pydicom
        from pydicom.uid import generate_uid

        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array[:: self.shrink, :: self.shrink]
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelSpacing = [float(mm) * self.shrink for mm in dataset.PixelSpacing]
        dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = uids
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PatientID, dataset.PatientName, dataset.SeriesNumber = patient, f"Trial^{patient}", place
        if thick:
            dataset.SliceThickness = 2 * float(dataset.SliceThickness)
        self.uids.add(str(dataset.SOPInstanceUID))
        name = folder / f"{len(self.uids):06}.dcm"
        dataset.save_as(name)
        if len(self.uids) % 40 == 1:
            self.errors |= _errors(name)


def _errors(path):
    from helpers.dicom_readers import have, validator_errors

    return validator_errors(path) if have("dciodvfy") else set()


def _pixels(dataset):
    return hashlib.sha256(dataset.PixelData).hexdigest()


def _port_of(config):
    from CTADefaceLib.node.config import read_config

    return read_config(config).receiving.port


if __name__ == "__main__":
    sys.exit(main())
