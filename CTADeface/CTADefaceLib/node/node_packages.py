"""The optional package of the node alone, imported when it is used."""

from __future__ import annotations

from types import ModuleType

from ..errors import MissingPackages, first_line
from ..extras import how_to_install

INSTALL = how_to_install("node")


def need_prometheus() -> ModuleType:
    """The module ``prometheus_client``. Raises ``MissingPackages`` that names the pip command."""
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingPackages(
            f"The node's metrics need the package prometheus_client ({first_line(error)}); run: {INSTALL}"
        ) from error
    return prometheus_client
