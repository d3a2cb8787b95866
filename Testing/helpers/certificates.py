"""Certificates for TLS between a node and its peers, made by openssl."""

import shutil
import subprocess
from pathlib import Path

import pytest

from CTADefaceLib.node.config import Tls


def certificates(folder, name, authority=None):
    """``Tls`` of a new certificate for 127.0.0.1, signed by an ``authority`` (else by a new one)."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make certificates")
    authority = authority or folder / f"{name}-authority"
    say = {"check": True, "capture_output": True}
    if not authority.with_suffix(".pem").exists():
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority"]
        subprocess.run(["openssl", *words, "-keyout", f"{authority}.key", "-out", f"{authority}.pem"], **say)
    own = folder / name
    words = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{own}.key", "-out", f"{own}.csr"]
    subprocess.run(["openssl", *words], **say)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    words = ["x509", "-req", "-in", f"{own}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial"]
    subprocess.run(["openssl", *words, "-days", "2", "-out", f"{own}.pem", "-extfile", str(folder / "names")], **say)
    return Tls(Path(f"{own}.pem"), Path(f"{own}.key"), Path(f"{authority}.pem"))
