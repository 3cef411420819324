"""Prometheus metrics of the gateway beside those of its drivers."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from plant.link import DeviceStatus, LinkState


class GatewayMetrics:
    """Labels are bounded by the devices of a site and the three severities of quality."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ingested = Counter(
            "monazite_samples_ingested", "Samples that devices sent, by severity of quality.", ("driver", "device", "quality"), registry=registry
        )
        self.dropped = Counter("monazite_samples_dropped", "Samples that could not be handed on.", ("reason",), registry=registry)
        self.published = Counter("monazite_samples_published", "Samples that the bus has on disk.", ("device",), registry=registry)
        self.unpublished_bytes = Gauge("monazite_spool_bytes", "Batches that wait for the bus.", ("device",), registry=registry)
        self.refusals = Counter("monazite_publish_failures", "Batches that the bus did not confirm in time and that are offered again.", registry=registry)
        self.commands = Counter("monazite_device_commands", "Commands that reached the gateway, by how they ended.", ("result",), registry=registry)
        self.device_state = Gauge("monazite_device_state", "1 for the state that the link of a device is in.", ("device", "state"), registry=registry)
        self.publish_duration = Histogram(
            "monazite_publish_duration_seconds",
            "From handing a batch to the bus to its acknowledgement.",
            registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0),
        )

    def told(self, status: DeviceStatus) -> None:
        for state in LinkState:
            self.device_state.labels(status.device, state.value).set(state is status.state)
