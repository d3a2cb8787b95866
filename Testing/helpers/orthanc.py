"""Orthanc (Debian's package) as sender and archive on loopback."""

import json
import shutil
import subprocess
import urllib.request

from helpers.dicom_node import free_port, until

# Not on the path of users who are not root.
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


class Orthanc:
    """A server of its own in ``folder``, called ``title``, which knows the ``modalities`` {name: (title, port)}."""

    def __init__(self, folder, title, modalities=(), port=None, http=None):
        self.port, self.http, self.folder, self._process = port or free_port(), http or free_port(), folder, None
        folder.mkdir(exist_ok=True)
        self._configuration = folder / "orthanc.json"
        self._configuration.write_text(
            json.dumps(
                {
                    "StorageDirectory": str(folder / "files"),
                    "IndexDirectory": str(folder / "files"),
                    "HttpPort": self.http,
                    "DicomPort": self.port,
                    "DicomAet": title,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "DicomAlwaysAllowStore": True,
                    "DicomModalities": {name: [called, "127.0.0.1", at] for name, (called, at) in dict(modalities).items()},
                    "DicomScuTimeout": 10,
                    "StableAge": 2,
                    "Plugins": [],
                }
            )
        )

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_error):
        self.kill()

    def start(self):
        with open(self.folder / "orthanc.log", "ab") as log:
            self._process = subprocess.Popen([PROGRAM, str(self._configuration)], stdout=log, stderr=log)
        until(self._answers)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _answers(self):
        try:
            return self.get("/system")
        except OSError:
            return None

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path, content):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", content, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def upload(self, folder):
        """Put files into the archive; returns Orthanc's own names of their studies."""
        answers = [self.post("/instances", path.read_bytes()) for path in sorted(folder.rglob("*.dcm"))]
        return sorted({answer["ParentStudy"] for answer in answers})

    def send(self, study, to):
        """Send a study by C-STORE; returns how many instances failed. Raises: OSError when it broke off."""
        return int(self.post(f"/modalities/{to}/store", json.dumps({"Resources": [study]}).encode())["FailedInstancesCount"])

    def studies(self):
        """{study UID: number of its instances}."""
        found = {}
        for name in self.get("/studies"):
            uid = self.get(f"/studies/{name}")["MainDicomTags"]["StudyInstanceUID"]
            found[uid] = self.get(f"/studies/{name}/statistics")["CountInstances"]
        return found

    def files(self):
        """The bytes of each instance."""
        for name in self.get("/instances"):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/instances/{name}/file") as answer:
                yield answer.read()
