"""A page on this machine alone that says how the node is: numbers, what is held, last errors; and the metrics."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..errors import CTADefaceError, OutputError
from .metrics import metrics_of
from .node_packages import need_prometheus
from .node_status import Status

ADDRESS = "127.0.0.1"
# Names under which a browser on this machine asks; a page of elsewhere that leads here by its own name is refused.
OWN_NAMES = ("127.0.0.1", "localhost")
STYLE = "body{font:16px sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}.bad{color:#a00}"


class Web:
    """Serves on ``port`` of the loopback interface from ``start`` to ``stop``; ``look`` returns the node's ``Status``."""

    def __init__(self, port: int, look: Callable[[], Status]) -> None:
        self._port, self._look = port, look
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Raises: OutputError when the port cannot be had, MissingPackages."""
        need_prometheus()
        try:
            self._server = ThreadingHTTPServer((ADDRESS, self._port), _handler(self._look))
        except OSError as error:
            raise OutputError(f"web_port {self._port}: cannot listen there ({error.strerror}); choose another.") from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="web", daemon=True).start()

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.server_address[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(look: Callable[[], Status]) -> type[BaseHTTPRequestHandler]:
    answers: dict[str, tuple[str, Callable[[Status], bytes]]] = {
        "/": ("text/html; charset=utf-8", lambda status: page_of(status).encode()),
        "/status.json": ("application/json", lambda status: json.dumps(status.as_dict(reasons=False)).encode()),
        "/metrics": ("text/plain; version=0.0.4; charset=utf-8", metrics_of),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (self.headers.get("Host") or "").rpartition(":")[0] not in OWN_NAMES or self.path not in answers:
                self.send_error(404)
                return
            kind, answer = answers[self.path]
            try:
                content = answer(look())
            except CTADefaceError:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """The node's own log tells what is worth telling."""

    return Handler


def page_of(status: Status) -> str:
    """The page: it names studies as the node does, and loads nothing from elsewhere."""
    numbers = {
        "arriving": f"{status.arriving} studies, {status.arriving_files} files",
        "to be defaced": status.to_deface,
        "held for a person": len(status.held),
        "sent everywhere": f"{status.finished} kept, {status.deleted} deleted here",
        "disk": f"{status.free_gb} GB free; below {status.keep_free_gb:g} GB nothing more is taken",
    }
    to = [(one.name, one.waiting, one.sent, one.attempts or "", one.next_try or "") for one in status.destinations]
    held = [(one.study or "all", one.release, one.kind, one.since) for one in status.held]
    recalls = [(one.study, one.destination, one.sent or "a part") for one in status.recalls]
    parts = [
        _table(("", ""), list(numbers.items())),
        "<h2>Destinations</h2>",
        _table(("destination", "waiting", "sent", "failed tries", "next try"), to),
        *(["<h2>Held</h2>", _table(("study", "release", "why", "since"), held)] if held else []),
        *(
            ["<h2 class=bad>To be deleted at the destination</h2>", _table(("study", "destination", "sent"), recalls)]
            if recalls
            else []
        ),
    ]
    head = f"<meta charset=utf-8><meta http-equiv=refresh content=10><title>CTADeface node</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body><h1>CTADeface node</h1>{''.join(parts)}</body></html>"


def _table(head: tuple, rows: list[tuple]) -> str:
    lines = [("th", head), *(("td", row) for row in rows)]
    return "<table>" + "".join(f"<tr>{''.join(_cell(kind, cell) for cell in row)}</tr>" for kind, row in lines) + "</table>"


def _cell(kind: str, content: object) -> str:
    return f"<{kind}>{html.escape(str(content))}</{kind}>"
