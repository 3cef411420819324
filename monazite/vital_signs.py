"""The few figures of a running plant that fit on one line, read from the services' own metrics."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from monazite.http_get import http_get

_DEADLINE = 1.0


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """``stored`` samples since the historian began; ``None`` where a service did not answer."""

    devices: int | None
    devices_up: int | None
    stored: float | None


async def read_vital_signs(gateway_metrics: str | None, historian_metrics: str | None) -> VitalSigns:
    """Asks the two services; a service that does not answer within a second leaves its figures ``None``."""
    links = await _values(gateway_metrics, "monazite_driver_up")
    stored = await _values(historian_metrics, "monazite_samples_stored_total")
    return VitalSigns(
        devices=None if links is None else len(links),
        devices_up=None if links is None else round(sum(links)),
        stored=None if not stored else sum(stored),
    )


async def _values(url: str | None, sample_name: str) -> list[float] | None:
    if url is None:
        return None
    try:
        status, text = await http_get(url, _DEADLINE)
    except OSError:
        return None
    return _of(text.splitlines(), sample_name) if status == 200 else None


def _of(lines: Iterable[str], sample_name: str) -> list[float]:
    text = "\n".join(line for line in lines if line.startswith(sample_name)) + "\n"
    return [sample.value for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == sample_name]
