"""What a server is asked for."""

import pytest

from drivers.opcua.monitored_items import queue_size
from drivers.opcua.subscription import parameters


@pytest.mark.parametrize("interval", [0.05, 0.1, 0.25, 1.0, 5.0, 30.0])
def test_keep_alives_come_every_five_seconds_and_the_subscription_lives_ten_times_as_long(interval: float) -> None:
    asked = parameters(interval)
    assert asked.RequestedPublishingInterval == pytest.approx(interval * 1000)
    assert asked.RequestedMaxKeepAliveCount * interval == pytest.approx(max(5.0, interval))
    assert asked.RequestedLifetimeCount >= 10 * asked.RequestedMaxKeepAliveCount
    assert asked.MaxNotificationsPerPublish > 0


@pytest.mark.parametrize(("publishing_ms", "scan_ms"), [(250, 1000), (1000, 1), (1000, 10), (60_000, 100), (100, 0)])
def test_a_queue_takes_twice_what_is_sampled_between_two_responses(publishing_ms: float, scan_ms: int) -> None:
    assert queue_size(publishing_ms, scan_ms) >= max(100, 2 * publishing_ms / max(scan_ms, 1))
