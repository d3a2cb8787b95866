"""What a node is told by its TOML file, checked before anything begins."""

from __future__ import annotations

import ipaddress
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from ..cases.options import Options
from ..dicom.transfer.association import AE_TITLE, is_ae_title
from ..dicom.transfer.tls import Tls
from ..errors import InputError, UsageError
from ..filling.fill import DEFAULT_FILL, FILLS
from ..network.model_run import DEVICES
from .config_table import Table

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

STOPPED, EVERY = "stopped", "every"
DAY_S = 86400


@dataclass(frozen=True)
class Sender:
    """Who may send: an AE title, from an address of ``network``."""

    ae_title: str
    network: Network


@dataclass(frozen=True)
class Receiving:
    """Where the node listens. A study is complete ``complete_after_s`` after its last file, ``broken_after_s`` when its sender
    broke off; ``watch``: a folder from which files are taken as well."""

    ae_title: str
    address: str
    port: int
    senders: tuple[Sender, ...]
    complete_after_s: float
    broken_after_s: float
    most_associations: int
    tls: Tls | None = None
    watch: Path | None = None


@dataclass(frozen=True)
class Destination:
    """Who is sent to, ``called`` by the AE title ``ae_title``. After ``retry_s`` a failed study is tried again, then after
    twice that time and so on, up to ``longest_retry_s``."""

    name: str
    ae_title: str
    address: str
    port: int
    timeout_s: float
    retry_s: float
    longest_retry_s: float
    tls: Tls | None = None


@dataclass(frozen=True)
class Release:
    """One way to deface, and who gets the result. ``review``: a person sees what the gate has 'stopped', or 'every' study."""

    name: str
    options: Options
    review: str
    destinations: tuple[Destination, ...]

    def options_in(self, hospital: Path) -> Options:
        """The ``Options`` of its batch, whose masks and records lie in ``hospital``."""
        return replace(self.options, records=str(hospital))


@dataclass(frozen=True)
class Config:
    """All of it. The node's ``folder`` holds originals: it is for its owner only."""

    folder: Path
    keep_free_bytes: float
    keep_s: float
    receiving: Receiving
    releases: tuple[Release, ...]
    web_port: int | None = None
    scheduler: str | None = None

    @property
    def studies(self) -> Path:
        """The input folder of the batches: complete studies, each in a folder of its own."""
        return self.folder / "studies"

    @property
    def incoming(self) -> Path:
        """Studies that are not complete yet."""
        return self.folder / "incoming"

    def output(self, release: Release) -> Path:
        """The output folder of a release's batch."""
        return self.folder / "release" / release.name

    def hospital(self, release: Release) -> Path:
        """The folder of a release's masks, records and manifest: what a person opens in the review queue."""
        return self.folder / "hospital" / release.name


def read_config(path: str | Path) -> Config:
    """The ``Config`` in a file. Raises: InputError when it cannot be read, UsageError for the first wrong setting."""
    path = Path(path).resolve()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the configuration of the node.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML ({error}); mend that line.") from None
    return _config(Table(path, content))


def _config(top: Table) -> Config:
    config = Config(
        folder=top.path("folder"),
        keep_free_bytes=top.number("keep_free_gb", 0, 1e6, 20) * 1e9,
        keep_s=top.number("keep_days", 0, 3650, 7) * DAY_S,
        receiving=_receiving(top.table("receive")),
        releases=tuple(_release(table) for table in top.tables("release")),
        web_port=top.whole("web_port", 1, 65535) if top.has("web_port") else None,
        scheduler=top.text("scheduler") if top.has("scheduler") else None,
    )
    top.end()
    _require_unlike(top, "release", [release.name for release in config.releases])
    watch = config.receiving.watch
    if watch is not None and (watch.is_relative_to(config.folder) or config.folder.is_relative_to(watch)):
        raise top.fail("receive.watch", f"{watch} lies in or around the node's folder; choose a folder apart from it.")
    return config


def _receiving(table: Table) -> Receiving:
    receiving = Receiving(
        ae_title=_ae_title(table, "CTADEFACE"),
        address=table.text("address", "0.0.0.0"),
        port=table.whole("port", 1, 65535, 11112),
        senders=tuple(_sender(one) for one in table.tables("sender")),
        complete_after_s=table.number("complete_after_s", 0, DAY_S, 60),
        broken_after_s=table.number("broken_after_s", 0, 30 * DAY_S, 1800),
        most_associations=table.whole("most_associations", 1, 1000, 10),
        tls=_tls(table),
        watch=table.path("watch") if table.has("watch") else None,
    )
    table.end()
    return receiving


def _sender(table: Table) -> Sender:
    sender = Sender(
        _ae_title(table),
        table.parsed("address", ipaddress.ip_network, None, "an address as 192.0.2.10, or a network as 192.0.2.0/24"),
    )
    table.end()
    return sender


def _release(table: Table) -> Release:
    name = table.text("name")
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise table.fail("name", f"is {name!r}; give letters, digits, - and _, because a folder is called so.")
    release = Release(
        name,
        options_in(table),
        table.choice("review", (STOPPED, EVERY), STOPPED),
        tuple(_destination(one) for one in table.tables("destination")),
    )
    table.end()
    _require_unlike(table, "destination", [one.name for one in release.destinations])
    return release


def options_in(table: Table) -> Options:
    """``Options`` in a table, where they are called as in the shell. Raises: UsageError, MissingPackages."""
    try:
        options = Options(
            # Named by everybody who sets up a node: no default decides silently whether patients' names leave.
            deidentify_headers=table.flag("deidentify_headers"),
            pseudonym_key=str(table.existing("pseudonym_key")) if table.has("pseudonym_key") else None,
            model=table.text("model") if table.has("model") else None,
            device=table.choice("device", DEVICES, "cpu"),
            fill=table.choice("fill", FILLS, DEFAULT_FILL),
            # What a run before has left of a study that is defaced again belongs to the node.
            overwrite=True,
            keep_private=table.flag("keep_private", False),
            shift_dates=table.flag("shift_dates", False),
            ears=table.flag("ears", False),
            strict=table.flag("strict", False),
            identity=table.flag("identity", False),
            report=table.flag("report", False),
        )
        options.require_sound()
    except UsageError as error:
        if str(error).startswith(str(table.file)):
            raise
        raise table.fail("options", str(error)) from None
    return options


def _destination(table: Table) -> Destination:
    destination = Destination(
        name=table.text("name"),
        ae_title=_ae_title(table),
        address=table.text("address"),
        port=table.whole("port", 1, 65535),
        timeout_s=table.number("timeout_s", 1, 3600, 60),
        retry_s=table.number("retry_s", 0.01, DAY_S, 30),
        longest_retry_s=table.number("longest_retry_s", 0.01, DAY_S, 1800),
        tls=_tls(table),
    )
    table.end()
    return destination


def _tls(table: Table) -> Tls | None:
    if not table.has("tls"):
        return None
    inner = table.table("tls")
    tls = Tls(inner.existing("certificate"), inner.existing("key"), inner.existing("ca"))
    inner.end()
    return tls


def _ae_title(table: Table, default: str | None = None) -> str:
    title = table.text("ae_title", default).strip()
    if not is_ae_title(title):
        raise table.fail("ae_title", f"is {title!r}; give {AE_TITLE}.")
    return title


def _require_unlike(table: Table, key: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise table.fail(key, f"two are called {name!r}; give each a name of its own.")
