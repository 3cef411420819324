"""A set-point's way to a device and back, through the services as processes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.modbus_device import LOT, PRESSURE, SET_POINT
from tests.modbus_plant import ModbusPlant, modbus_plant
from tests.stack import history

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModbusPlant]:
    folder = tmp_path_factory.mktemp("commands")
    async with modbus_plant(folder, f"sqlite:///{folder}/history.sqlite") as running:
        yield running


async def audited(plant: ModbusPlant, command: dict[str, Any]) -> list[str]:
    """Kinds of the audit events of a command, in order, as soon as its end is among them."""
    async with asyncio.timeout(20):
        while True:
            events = (await plant.client.get("/audit", params={"from": "-1h", "to": "+1h"})).raise_for_status().json()["items"]
            kinds = [event["kind"] for event in events if event["detail"].get("id") == command["id"]]
            if kinds and kinds[-1] not in {"command.prepared", "command.confirmed", "command.executed"}:
                return kinds
            await asyncio.sleep(0.1)


async def test_a_confirmed_command_is_written_read_back_stored_and_audited(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(8.25)
    assert command["state"] == "prepared"
    assert command["limits"] == [0.0, 100.0]
    assert command["interlocks"] == []
    assert "8.25 bar" in command["text"]
    assert command["current"] is not None
    assert plant.device.writes == before, "prepared is not written"
    answer = (await plant.confirmed(command)).json()
    assert (answer["state"], answer["read_back"]) == ("done", 8.25), answer
    assert plant.device.writes == before + 1
    async with asyncio.timeout(20):
        while (await history(plant.client, SET_POINT.name))[1][-1:] != [8.25]:
            await asyncio.sleep(0.1)
    assert await audited(plant, command) == ["command.prepared", "command.confirmed", "command.executed", "command.done"]
    assert (await plant.client.get(f"/commands/{command['id']}")).json()["state"] == "done"


async def test_a_text_is_written_as_a_number_is(plant: ModbusPlant) -> None:
    refused = await plant.client.post("/commands", json={"tag": LOT.name, "value": 5.0})
    assert refused.status_code == 422
    assert "takes text" in refused.json()["detail"]
    answer = (await plant.confirmed(await plant.prepared("LOT-77", LOT.name))).json()
    assert (answer["state"], answer["read_back"]) == ("done", "LOT-77"), answer


async def test_however_often_and_at_once_it_is_confirmed_it_is_written_once(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(7.5)
    answers = await asyncio.gather(*(plant.confirmed(command) for _ in range(10)))
    answers.append(await plant.confirmed(command))
    assert [answer.json()["state"] for answer in answers] == ["done"] * 11
    assert plant.device.writes == before + 1
    assert (await audited(plant, command)).count("command.done") == 1


async def test_another_nonce_or_another_value_confirms_nothing(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(6.0)
    for changes in ({"nonce": "guessed"}, {"value": 6.5}):
        answer = await plant.confirmed(command, **changes)
        assert answer.status_code == 409
        assert "nothing was written" in answer.json()["detail"]
    assert plant.device.writes == before
    assert (await plant.confirmed(command)).json()["state"] == "done", "the true one still counts"


@pytest.mark.parametrize(
    ("tag", "value", "status", "says"),
    [
        (SET_POINT.name, 100.5, 422, "lies outside 0 to 100 bar"),
        (SET_POINT.name, -0.5, 422, "lies outside 0 to 100 bar"),
        (SET_POINT.name, "high", 422, "takes a finite number"),
        (PRESSURE.name, 5.0, 422, "is not writable"),
        ("SEP.COL999.FIC101.SP", 5.0, 404, "SEP.COL999.FIC101.SP"),
    ],
)
async def test_what_may_not_be_written_is_refused_when_it_is_prepared(plant: ModbusPlant, tag: str, value: float | str, status: int, says: str) -> None:
    before = plant.device.writes
    answer = await plant.client.post("/commands", json={"tag": tag, "value": value})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert plant.device.writes == before


async def test_a_cancelled_command_cannot_be_confirmed(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(8.0)
    assert (await plant.client.post(f"/commands/{command['id']}/cancel")).json()["state"] == "cancelled"
    assert (await plant.confirmed(command)).json()["state"] == "cancelled"
    assert plant.device.writes == before
    assert await audited(plant, command) == ["command.prepared", "command.cancelled"]


async def test_the_same_idempotency_key_is_the_same_command(plant: ModbusPlant) -> None:
    key = {"Idempotency-Key": "of this press of the button"}
    first = await plant.prepared(5.5, **key)
    again = await plant.prepared(5.5, **key)
    assert first == again
    other = await plant.client.post("/commands", json={"tag": SET_POINT.name, "value": 5.75, "reason": "trial"}, headers=key)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.json()["detail"]


async def test_a_command_that_nobody_prepared_is_not_found(plant: ModbusPlant) -> None:
    for answer in (
        await plant.client.get("/commands/0123"),
        await plant.client.post("/commands/0123/cancel"),
        await plant.client.post("/commands/0123/confirm", json={"nonce": "n", "value": 1.0}),
    ):
        assert answer.status_code == 404, answer.text
        assert "0123" in answer.json()["detail"]


async def test_confirmed_after_its_time_it_writes_nothing(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(8.0)
    async with asyncio.timeout(30):
        while (await plant.client.get(f"/commands/{command['id']}")).json()["state"] != "expired":
            await asyncio.sleep(0.5)
    answer = (await plant.confirmed(command)).json()
    assert answer["state"] == "expired"
    assert "prepare it again" in answer["detail"]
    assert plant.device.writes == before
    assert await audited(plant, command) == ["command.prepared", "command.expired"]


async def test_with_the_device_cut_it_fails_and_is_not_written_when_the_device_is_back(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(4.0)
    await plant.device.stop()
    answer = (await plant.confirmed(command)).json()
    assert answer["state"] in {"failed", "unknown"}, answer
    assert answer["read_back"] is None
    await plant.link_is("down")
    late = (await plant.confirmed(await plant.prepared(4.5))).json()
    assert late["state"] == "failed", "the link is known to be down: nothing was sent"
    await plant.device.start()
    await plant.link_is("up")
    await asyncio.sleep(1.0)
    assert plant.device.writes == before
    assert (await plant.confirmed(command)).json()["state"] == answer["state"], "what has ended stays as it ended"
    assert plant.device.writes == before


async def test_a_value_that_the_device_took_and_does_not_show_is_accepted_and_in_the_audit_trail(plant: ModbusPlant) -> None:
    plant.device.keeps_values = True
    try:
        command = await plant.prepared(3.25)
        answer = (await plant.confirmed(command)).json()
    finally:
        plant.device.keeps_values = False
    assert answer["state"] == "accepted"
    assert answer["read_back"] not in {None, 3.25}
    assert (await plant.client.get(f"/commands/{command['id']}")).json()["state"] == "accepted"
    assert await audited(plant, command) == ["command.prepared", "command.confirmed", "command.executed", "command.accepted"]


async def test_a_gateway_that_was_stopped_meanwhile_writes_nothing_behind_the_answer(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(3.5)
    plant.stack.signal("gateway", signal.SIGSTOP)
    answer = (await plant.confirmed(command)).json()
    assert (answer["state"], plant.device.writes) == ("unknown", before)
    plant.stack.signal("gateway", signal.SIGCONT)
    await asyncio.sleep(2.0)
    await plant.link_is("up")
    assert plant.device.writes == before
    assert (await plant.client.get(f"/commands/{command['id']}")).json()["state"] == "unknown"


async def test_of_two_gateways_and_two_controls_one_writes(plant: ModbusPlant) -> None:
    before = plant.device.writes
    async with plant.stack.beside("gateway"), plant.stack.beside("control"):
        for value in (1.0, 1.25, 1.5, 1.75):
            answer = await plant.confirmed(await plant.prepared(value))
            if answer.status_code == 200:  # another control than the one that prepared it knows nothing of it
                assert answer.json()["state"] == "done"
                before += 1
            else:
                assert answer.status_code == 404
            assert plant.device.writes == before


async def test_without_a_gateway_nothing_is_written_and_that_is_said(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(3.0)
    await plant.stack.kill("gateway")
    answer = (await plant.confirmed(command)).json()
    assert answer["state"] in {"failed", "unknown"}, answer
    await plant.stack.start("gateway")
    await plant.link_is("up")
    assert plant.device.writes == before


async def test_a_control_service_that_died_has_forgotten_what_was_prepared_and_writes_none_of_it(plant: ModbusPlant) -> None:
    before = plant.device.writes
    command = await plant.prepared(2.0)
    await plant.stack.kill("control")
    away = await plant.confirmed(command)
    assert away.status_code == 503
    assert "Retry-After" in away.headers
    await plant.stack.start("control")
    assert (await plant.confirmed(command)).status_code == 404
    assert plant.device.writes == before
    assert (await plant.confirmed(await plant.prepared(2.5))).json()["state"] == "done"
