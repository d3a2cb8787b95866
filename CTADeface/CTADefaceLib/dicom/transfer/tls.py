"""TLS on both sides: each shows a certificate, and each asks for one that its authority has signed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError


@dataclass(frozen=True)
class Tls:
    """Files (PEM): own ``certificate`` and ``key``, and those who may sign the other side's certificate (``ca``)."""

    certificate: Path
    key: Path
    ca: Path


def server_context(tls: Tls) -> ssl.SSLContext:
    """For the side that listens: a client without a certificate is refused. Raises: InputError."""
    context = _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """For the side that calls: the certificate must be for the address that is called. Raises: InputError."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)


def _loaded(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"{tls.certificate}: cannot be used with {tls.key.name} and {tls.ca.name} ({error.strerror or error}); give a "
            "certificate, its key without a passphrase, and the authority's certificate, all as PEM."
        ) from None
    return context
