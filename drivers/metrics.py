"""Prometheus metrics of the drivers. The registry comes from the process that wires the parts; labels are bounded by the devices of a site."""

from collections.abc import Collection

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
        self.insecure = Gauge(
            "monazite_driver_insecure", "1 for an OPC UA device on another machine that is spoken to without security.", _ENDPOINT, registry=registry
        )
        self.set_right = Counter(
            "monazite_driver_samples_set_right",
            "Samples kept with the time of arrival, by how their source time was wrong.",
            (*_ENDPOINT, "fault"),
            registry=registry,
        )
        self.apart = Counter("monazite_driver_samples_apart", "Samples that arrived more than 5 s from their source time.", _ENDPOINT, registry=registry)
        self.clock_skew = Gauge("monazite_driver_clock_skew_seconds", "Device clock minus gateway clock.", _ENDPOINT, registry=registry)

    def of(self, driver: str, device: str) -> "DriverMetrics":
        return DriverMetrics(self, driver, device)


class DriverMetrics:
    """The metric families bound to one device. What is counted for each request is looked up once: labels cost more than counting."""

    def __init__(self, families: DriverMetricFamilies, driver: str, device: str) -> None:
        self._families = families
        self._labels = (driver, device)
        self._poll_duration = families.poll_duration.labels(driver, device)
        self._last_sample = families.last_sample.labels(driver, device)
        self._polls: dict[str, Counter] = {}
        self._certificates: set[str] = set()

    def up(self, is_up: bool) -> None:
        self._families.up.labels(*self._labels).set(is_up)

    def reconnected(self) -> None:
        self._families.reconnects.labels(*self._labels).inc()

    def polled(self, result: str, seconds: float) -> None:
        polls = self._polls.get(result)
        if polls is None:
            polls = self._polls[result] = self._families.polls.labels(*self._labels, result)
        polls.inc()
        self._poll_duration.observe(seconds)

    def overran(self, scans: int) -> None:
        self._families.poll_overruns.labels(*self._labels).inc(scans)

    def received(self, seconds: float) -> None:
        self._last_sample.set(seconds)

    def rejected(self, reason: str) -> None:
        self._families.frames_rejected.labels(*self._labels, reason).inc()

    def overflowed(self, samples: int) -> None:
        self._families.overflows.labels(*self._labels).inc(samples)

    def set_right(self, samples: int, fault: str) -> None:
        """``fault`` of the source times: ``ahead`` of ours, ``behind`` as the server's clock is, or gone ``back``."""
        self._families.set_right.labels(*self._labels, fault).inc(samples)

    def apart(self, samples: int) -> None:
        self._families.apart.labels(*self._labels).inc(samples)

    def missed(self, notifications: int, fate: str) -> None:
        """``fate``: ``republished``, or ``lost`` where the server had them no more."""
        self._families.missed.labels(*self._labels, fate).inc(notifications)

    def overloaded(self, is_overloaded: bool) -> None:
        self._families.overloaded.labels(*self._labels).set(is_overloaded)

    def stopped(self, is_stopped: bool) -> None:
        self._families.stopped.labels(*self._labels).set(is_stopped)

    def recovered(self, samples: int) -> None:
        self._families.recovered.labels(*self._labels).inc(samples)

    def faulted(self) -> None:
        self._families.faults.labels(*self._labels).inc()

    def insecure(self, is_insecure: bool) -> None:
        self._families.insecure.labels(*self._labels).set(is_insecure)

    def certificate_expires(self, certificate: str, seconds: float) -> None:
        """``certificate``: ``own``, ``user``, ``server`` or ``issuer``; ``seconds`` since 1970."""
        self._families.certificate_expiry.labels(*self._labels, certificate).set(seconds)
        self._certificates.add(certificate)

    def certificates_are(self, in_use: Collection[str]) -> None:
        """Those of before are no more: what expires of them expires for nobody."""
        for certificate in self._certificates.difference(in_use):
            self._families.certificate_expiry.remove(*self._labels, certificate)
        self._certificates.intersection_update(in_use)

    def skewed(self, seconds: float) -> None:
        self._families.clock_skew.labels(*self._labels).set(seconds)
