"""The optional packages of the node, imported when they are used."""

from __future__ import annotations

import logging
from types import ModuleType

from ..errors import MissingPackages, first_line

INSTALL = "pip install 'cta-deface[node]'"


def need_pynetdicom() -> ModuleType:
    """The module ``pynetdicom``, with its own log silenced. Raises ``MissingPackages`` that names the pip command."""
    try:
        import pynetdicom
    except ImportError as error:
        raise MissingPackages(f"The node needs the package pynetdicom ({first_line(error)}); run: {INSTALL}") from error
    # Its log tells UIDs, and elements of data sets.
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    return pynetdicom


def need_prometheus() -> ModuleType:
    """The module ``prometheus_client``. Raises ``MissingPackages`` that names the pip command."""
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingPackages(
            f"The node's metrics need the package prometheus_client ({first_line(error)}); run: {INSTALL}"
        ) from error
    return prometheus_client
