import math

import pytest
from prometheus_client import CollectorRegistry

from plant import times
from plant.device import ModbusDevice, TcpLine
from plant.event import Event
from plant.link import LinkState
from plant.quality import Quality
from plant.site import Site
from services.api.live_hub import Listener, LiveHub, values_of
from tests.samples import batch_of, make_tag

TAGS = (make_tag(1), make_tag(2, "SEP.COL101.PT102"))
ALL = frozenset({1, 2})


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def hub(registry: CollectorRegistry) -> LiveHub:
    return LiveHub(Site("Test", {}, TAGS), registry)


def taken(listener: Listener) -> list[tuple[int, float | str]]:
    return [(value.tag_id, value.value) for value in listener.take()[0]]


def test_a_listener_begins_with_the_current_values(hub: LiveHub) -> None:
    hub.heal(batch_of([(1, 10, 5.0, 0)]))
    with hub.listener(ALL) as listener:
        assert taken(listener) == [(1, 5.0)]
        assert taken(listener) == []


def test_a_slow_listener_holds_one_value_a_tag_and_what_it_missed_is_counted(hub: LiveHub, registry: CollectorRegistry) -> None:
    with hub.listener(ALL) as listener:
        for time in range(100):
            hub.heal(batch_of([(1, time, float(time), 0)]))
        assert taken(listener) == [(1, 99.0)]
    assert registry.get_sample_value("monazite_ws_frames_dropped_total") == 99


def test_a_slow_listener_holds_a_bounded_number_of_events(hub: LiveHub) -> None:
    with hub.listener(ALL) as listener:
        for number in range(1000):
            listener.hear_event(Event(f"e{number}", number, "command.done", "tag"))
        _, events, _ = listener.take()
    assert len(events) == 100
    assert events[-1].id == "e999"


def test_a_listener_that_left_is_forgotten(hub: LiveHub, registry: CollectorRegistry) -> None:
    with hub.listener(ALL) as listener:
        assert registry.get_sample_value("monazite_ws_clients") == 1
    hub.heal(batch_of([(1, 10, 5.0, 0)]))
    assert registry.get_sample_value("monazite_ws_clients") == 0
    assert taken(listener) == []


def test_what_the_store_knows_heals_only_what_is_newer(hub: LiveHub) -> None:
    hub.heal(batch_of([(1, 10, 5.0, 0), (2, 10, 7.0, 0)]))
    with hub.listener(ALL) as listener:
        listener.take()
        hub.heal(batch_of([(1, 9, 4.0, 0), (2, 11, 8.0, 0)]))
        assert taken(listener) == [(2, 8.0)]


def test_what_is_kept_is_numbered_without_a_hole_and_bounded(hub: LiveHub) -> None:
    first = hub.number
    for time in range(6_000):
        hub.heal(batch_of([(1, time, 1.0, 0)]))
    kept = [number for number, _ in hub.since(first)]
    assert kept == list(range(first + 1_001, first + 6_001))
    assert [number for number, _ in hub.since(first + 5_998)] == [first + 5_999, first + 6_000]


def test_values_of_a_silent_gateway_are_in_doubt_and_then_bad(registry: CollectorRegistry) -> None:
    now = [0.0]
    device = ModbusDevice("PLC-SEP-01", "SEP", TcpLine("127.0.0.1", 502), 1)
    hub = LiveHub(Site("Test", {device.name: device}, TAGS), registry, lambda: now[0])
    hub.heal(batch_of([(1, 10, 5.0, 0), (2, 10, float("nan"), Quality.BAD_SENSOR_FAILURE)]))

    def at(seconds: float) -> list[tuple[float | str, int]]:
        now[0] = seconds
        hub.look()
        return [(value.value, value.quality) for batch in hub.current(ALL) for value in values_of(batch)]

    with hub.listener(ALL) as listener:
        assert at(5.0)[0] == (5.0, Quality.GOOD)
        listener.take()
        assert [quality for _, quality in at(5.1)] == [Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE, Quality.BAD_SENSOR_FAILURE]
        values, _, devices = listener.take()
        assert values[0].quality == Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
        assert [status.state for status in devices] == [LinkState.DOWN]
        value, quality = at(60.1)[0]
        assert quality == Quality.BAD_NO_COMMUNICATION
        assert math.isnan(float(value)), "what is Bad has no value"
        hub.heal(batch_of([(1, 11, 6.0, 0)]))
        assert at(60.2)[0][1] == Quality.BAD_NO_COMMUNICATION


def test_a_device_of_which_nobody_speaks_is_down() -> None:
    hub = LiveHub(Site("Test", {"MB-SEP-01": ModbusDevice("MB-SEP-01", "SEP", TcpLine("127.0.0.1", 502), 1)}, ()), CollectorRegistry())
    status = hub.devices()["MB-SEP-01"]
    assert (status.state, status.last_error) == (LinkState.DOWN, "no gateway has spoken of it yet")
    assert abs(times.now() - status.since) < 60 * times.MICROSECONDS
