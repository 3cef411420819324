"""Prometheus metrics of the drivers. The registry comes from the process that wires the parts; labels are bounded by the devices of a site."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_ENDPOINT = ("driver", "device")


class DriverMetricFamilies:
    """The metric families, once a process; ``of`` binds them to a device."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("monazite_driver_up", "1 while a session with the device is open.", _ENDPOINT, registry=registry)
        self.reconnects = Counter("monazite_driver_reconnects", "Sessions opened after a loss.", _ENDPOINT, registry=registry)
        self.polls = Counter("monazite_driver_polls", "Requests to the device by result.", (*_ENDPOINT, "result"), registry=registry)
        self.poll_duration = Histogram(
            "monazite_driver_poll_duration_seconds",
            "Round trip of a request.",
            _ENDPOINT,
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
        )
        self.poll_overruns = Counter("monazite_driver_poll_overruns", "Scans skipped because the one before was late.", _ENDPOINT, registry=registry)
        self.last_sample = Gauge("monazite_driver_last_sample_timestamp_seconds", "Arrival of the newest sample.", _ENDPOINT, registry=registry)
        self.frames_rejected = Counter("monazite_driver_frames_rejected", "Answers that were not used, by reason.", (*_ENDPOINT, "reason"), registry=registry)
        self.overflows = Counter("monazite_driver_overflows", "Samples flagged as following a queue overflow.", _ENDPOINT, registry=registry)
        self.missed = Counter(
            "monazite_driver_notifications_missed", "Notifications that did not arrive, by what became of them.", (*_ENDPOINT, "fate"), registry=registry
        )
        self.overloaded = Gauge("monazite_driver_overloaded", "1 while the device cannot be read as often as its tags ask.", _ENDPOINT, registry=registry)
        self.stopped = Gauge("monazite_driver_stopped", "1 while the link is up and the heartbeat stands still.", _ENDPOINT, registry=registry)
        self.recovered = Counter("monazite_driver_samples_recovered", "Samples of an outage fetched from the device's history.", _ENDPOINT, registry=registry)
        self.faults = Counter("monazite_driver_faults", "Sessions ended by a fault of ours, which the log has.", _ENDPOINT, registry=registry)
        self.certificate_expiry = Gauge(
            "monazite_driver_certificate_expiry_timestamp_seconds", "End of validity of a certificate in use.", (*_ENDPOINT, "certificate"), registry=registry
        )
        self.ahead = Counter("monazite_driver_samples_ahead", "Samples whose source time lay too far ahead of our clock.", _ENDPOINT, registry=registry)
        self.clock_skew = Gauge("monazite_driver_clock_skew_seconds", "Device clock minus gateway clock.", _ENDPOINT, registry=registry)

    def of(self, driver: str, device: str) -> "DriverMetrics":
        return DriverMetrics(self, driver, device)


@dataclass(frozen=True, slots=True)
class DriverMetrics:
    """The metric families bound to one device."""

    families: DriverMetricFamilies
    driver: str
    device: str

    def up(self, is_up: bool) -> None:
        self.families.up.labels(self.driver, self.device).set(is_up)

    def reconnected(self) -> None:
        self.families.reconnects.labels(self.driver, self.device).inc()

    def polled(self, result: str, seconds: float) -> None:
        self.families.polls.labels(self.driver, self.device, result).inc()
        self.families.poll_duration.labels(self.driver, self.device).observe(seconds)

    def overran(self, scans: int) -> None:
        self.families.poll_overruns.labels(self.driver, self.device).inc(scans)

    def received(self, seconds: float) -> None:
        self.families.last_sample.labels(self.driver, self.device).set(seconds)

    def rejected(self, reason: str) -> None:
        self.families.frames_rejected.labels(self.driver, self.device, reason).inc()

    def overflowed(self, samples: int) -> None:
        self.families.overflows.labels(self.driver, self.device).inc(samples)

    def set_right(self, samples: int) -> None:
        self.families.ahead.labels(self.driver, self.device).inc(samples)

    def missed(self, notifications: int, fate: str) -> None:
        """``fate``: ``republished``, or ``lost`` where the server had them no more."""
        self.families.missed.labels(self.driver, self.device, fate).inc(notifications)

    def overloaded(self, is_overloaded: bool) -> None:
        self.families.overloaded.labels(self.driver, self.device).set(is_overloaded)

    def stopped(self, is_stopped: bool) -> None:
        self.families.stopped.labels(self.driver, self.device).set(is_stopped)

    def recovered(self, samples: int) -> None:
        self.families.recovered.labels(self.driver, self.device).inc(samples)

    def faulted(self) -> None:
        self.families.faults.labels(self.driver, self.device).inc()

    def certificate_expires(self, certificate: str, seconds: float) -> None:
        """``certificate``: ``own`` or ``server``; ``seconds`` since 1970."""
        self.families.certificate_expiry.labels(self.driver, self.device, certificate).set(seconds)

    def skewed(self, seconds: float) -> None:
        self.families.clock_skew.labels(self.driver, self.device).set(seconds)
