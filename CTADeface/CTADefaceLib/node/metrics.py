"""The node's numbers for Prometheus."""

from __future__ import annotations

from .node_packages import need_prometheus
from .node_status import Status

PREFIX = "cta_deface_"


def metrics_of(status: Status) -> bytes:
    """The text that Prometheus reads. Raises: MissingPackages."""
    prometheus = need_prometheus()
    registry = prometheus.CollectorRegistry()

    def gauge(name: str, help_text: str, value: float) -> None:
        prometheus.Gauge(PREFIX + name, help_text, registry=registry).set(value)

    gauge("arriving_studies", "Studies that are not complete yet", status.arriving)
    gauge("arriving_files", "Files of studies that are not complete yet", status.arriving_files)
    gauge("waiting_studies", "Complete studies that are not defaced yet", status.to_deface)
    gauge("finished_studies", "Studies that were sent everywhere, and are kept", status.finished)
    gauge("deleted_studies", "Studies that were sent everywhere, and deleted here", status.deleted)
    gauge("recalls", "Studies of which a destination holds a version that must not stay there", len(status.recalls))
    gauge("disk_free_bytes", "Free space of the node's disk", status.free_gb * 1e9)
    held = prometheus.Gauge(PREFIX + "held_studies", "Studies that wait for a person", ["reason"], registry=registry)
    for kind in sorted({one.kind for one in status.held}):
        held.labels(kind).set(sum(one.kind == kind for one in status.held))
    for name, help_text in (
        ("unsent_studies", "Studies that wait for a destination"),
        ("sent_studies", "Studies that a destination has taken"),
        ("failed_tries", "Failed tries of the study that waits longest for a destination"),
    ):
        by_destination = prometheus.Gauge(PREFIX + name, help_text, ["destination"], registry=registry)
        for to in status.destinations:
            value = {"unsent_studies": to.waiting, "sent_studies": to.sent, "failed_tries": to.attempts}[name]
            by_destination.labels(to.name).set(value)
    return prometheus.generate_latest(registry)
