"""What a device said is what the history says: three recorded runs over Modbus and over OPC UA, twenty times faster than recorded, into each store."""

from pathlib import Path

import pytest

from tests.plant.replayed_plant import ReplayedPlant, assert_equals_file_row_by_row, assert_equals_file_with_times, needs_recordings
from tests.stack import api_client, running_stack

pytestmark = [needs_recordings, pytest.mark.timeout(240)]


async def test_the_history_of_a_replay_equals_the_recording(tmp_path: Path, store_url: str) -> None:
    plant = ReplayedPlant(["modbus", "opcua"])
    async with plant.listening(tmp_path / "site") as playing, running_stack(tmp_path / "stack", tmp_path / "site", store_url) as stack:
        await stack.start("historian")
        api = await stack.start("api")
        await stack.start("gateway")
        await playing
        async with api_client(api["api"]) as client:
            await plant.stored(client, 30.0)
            for played in plant.played.values():
                if played.protocol == "opcua":
                    await assert_equals_file_with_times(client, played)
                else:
                    await assert_equals_file_row_by_row(client, played)
            gaps = (await client.get("/gaps", params={"from": "1970-01-01T00:00:00Z", "to": "+1h"})).raise_for_status().json()
            assert gaps["items"] == []
