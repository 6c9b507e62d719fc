"""The counters as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from descartes_core.agent_life import State
from descartes_daemon.counts import Counts, Durations

Stats = Mapping[str, Any]

#: Of system.stats: gauges by name, with what they say.
_GAUGES = {
    "agents_total": ("agents_stored", "Agents there ever were in this session."),
    "output_bytes": ("output_bytes", "Output of the agents in memory."),
    "disk_bytes": ("disk_bytes", "What all outputs take on disk."),
    "subscriptions": ("subscriptions", "Listeners of /events."),
    "watchers": ("watchers", "Watchers of terminals."),
    "descriptors": ("open_descriptors", "Descriptors this daemon has open."),
    "descriptors_limit": ("max_descriptors", "Descriptors it may have open."),
    "memory_bytes": ("resident_memory_bytes", "Its resident memory."),
    "uptime_secs": ("uptime_seconds", "Seconds since it began."),
}
_COUNTERS = {
    "events": ("events", "Events of this session."),
    "requests": ("requests", "Calls at all doors."),
    "connections_total": ("connections_accepted", "Connections at all doors."),
    "input_bytes": ("input_bytes", "Bytes typed into agents of this session."),
    "gaps": ("gaps", "Times a listener or watcher missed something."),
}
#: Of what the living agents take together, and of what the ended ones took: without a label for each agent, whose
#: number has no bound.
_LIVING = {
    "cpu_seconds": ("agents_cpu_seconds", "Processor time of the living agents so far."),
    "memory_bytes": ("agents_memory_bytes", "Memory of the living agents."),
    "processes": ("agents_processes", "Processes of the living agents."),
    "read_bytes": ("agents_read_bytes", "Bytes the living agents have read from storage."),
    "written_bytes": ("agents_written_bytes", "Bytes the living agents have written to storage."),
}
_ENDED = {
    "cpu_seconds": ("ended_agents_cpu_seconds", "Processor time of all agents that have ended."),
    "read_bytes": ("ended_agents_read_bytes", "Bytes that ended agents had read from storage."),
    "written_bytes": ("ended_agents_written_bytes", "Bytes that ended agents had written to storage."),
}

_BUS_GAUGES = {
    "peers": ("bus_peers", "Others at the bus that are known here."),
    "streams": ("bus_streams", "Outputs that somebody follows by the bus."),
}
_BUS = {
    "messages_sent": ("bus_messages_sent", "Messages to the hub."),
    "messages_received": ("bus_messages_received", "Messages from the hub."),
    "bytes_sent": ("bus_bytes_sent", "Bytes to the hub."),
    "bytes_received": ("bus_bytes_received", "Bytes from the hub."),
    "errors": ("bus_errors", "What came and was no message."),
    "dropped": ("bus_dropped", "Messages that meant nothing when they came."),
    "reconnections": ("bus_reconnections", "Times the hub was found again."),
}


class _Collector(Collector):
    """One look at everything, from a thread: what grows meanwhile is copied before it is walked over."""

    def __init__(self, stats: Stats, counts: Counts, commits: int, starts: int) -> None:
        self._stats, self._counts = stats, counts
        self._commits, self._starts = commits, starts

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield self._by_label("agents", "Agents in memory, by state.", "state", self._agents())
        yield self._by_label("connections", "Connections open now, by door.", "door", self._stats["connections"])
        for key, (name, about) in _GAUGES.items():
            yield GaugeMetricFamily(f"descartes_{name}", about, self._stats[key])
        for key, (name, about) in _COUNTERS.items():
            yield CounterMetricFamily(f"descartes_{name}", about, self._stats[key])
        for key, (name, about) in _LIVING.items():
            yield GaugeMetricFamily(f"descartes_{name}", about, self._stats["usage"]["living"][key])
        for key, (name, about) in _ENDED.items():
            yield CounterMetricFamily(f"descartes_{name}", about, self._stats["usage"]["ended"][key])
        yield CounterMetricFamily("descartes_output_recorded_bytes", "Output recorded.", self._counts.output_bytes)
        yield CounterMetricFamily("descartes_store_commits", "Transactions of the store.", self._commits)
        yield CounterMetricFamily("descartes_daemon_starts", "Starts of this session's daemon.", self._starts)
        yield from self._of_the_bus()
        yield from self._measured()

    def _of_the_bus(self) -> Iterator[Metric]:
        if (bus := self._stats.get("bus")) is None:
            return
        is_connected = int(bus["state"] == "Connected")
        yield GaugeMetricFamily("descartes_bus_connected", "Whether the hub of its bus has it.", is_connected)
        for key, (name, about) in _BUS_GAUGES.items():
            yield GaugeMetricFamily(f"descartes_{name}", about, bus[key])
        for key, (name, about) in _BUS.items():
            yield CounterMetricFamily(f"descartes_{name}", about, bus[key])

    def _agents(self) -> dict[str, int]:
        return {state.value: self._stats["agents"].get(state.value, 0) for state in State}

    def _measured(self) -> Iterator[Metric]:
        failures = CounterMetricFamily(
            "descartes_request_failures", "Calls that were refused or failed.", labels=["method", "code"]
        )
        for (method, code), count in list(self._counts.failures.items()):
            failures.add_metric([method, code], count)
        yield failures
        yield _histogram("request_duration_seconds", "From a call to its answer.", dict(self._counts.requests))
        yield _histogram("spawn_duration_seconds", "Spawns that worked.", {"": self._counts.spawns})
        yield _histogram("event_lag_seconds", "From an event's commit to a listener.", {"": self._counts.lag})

    def _by_label(self, name: str, about: str, label: str, values: Mapping[str, int]) -> Metric:
        family = GaugeMetricFamily(f"descartes_{name}", about, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        return family


def _histogram(name: str, about: str, measured: Mapping[str, Durations]) -> Metric:
    labels = [] if "" in measured else ["method"]
    family = HistogramMetricFamily(f"descartes_{name}", about, labels=labels)
    for key, durations in measured.items():
        family.add_metric([key] if labels else [], durations.buckets(), durations.sum)
    return family


def families(stats: Stats, counts: Counts, commits: int, starts: int) -> list[Metric]:
    """Return every metric, by its name and with what it says."""
    return list(_Collector(stats, counts, commits, starts).collect())


def text_of(stats: Stats, counts: Counts, commits: int, starts: int) -> str:
    """Return the exposition in Prometheus' text format 0.0.4; may be called in a thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(stats, counts, commits, starts))
    return generate_latest(registry).decode()
