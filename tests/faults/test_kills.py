"""kill -9 in the middle of a replay: of the historian, of the bus, of the gateway."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.plant.replayed_plant import ReplayedPlant, needs_recordings, rows_missing
from tests.stack import api_client, running_stack

pytestmark = [needs_recordings, pytest.mark.timeout(240)]

_AWAY = 2.0


async def test_only_the_gateway_can_lose_samples_and_the_ledger_says_which(tmp_path: Path, sqlite_url: str) -> None:
    plant = ReplayedPlant(["opcua"])
    async with plant.listening(tmp_path / "site") as playing, running_stack(tmp_path / "stack", tmp_path / "site", sqlite_url) as stack:
        await stack.start("historian")
        api = await stack.start("api")
        await stack.start("gateway")

        await plant.row_reached(200, 60.0)
        await stack.kill("historian")
        await asyncio.sleep(_AWAY)
        await stack.start("historian")

        await plant.row_reached(450, 60.0)
        await stack.nats.kill()
        await asyncio.sleep(_AWAY)
        await stack.nats.start()

        await plant.row_reached(700, 60.0)
        await stack.kill("gateway")
        await asyncio.sleep(_AWAY)
        await stack.start("gateway")

        await playing
        async with api_client(api["api"]) as client:
            await plant.stored(client, 60.0)
            answer = await client.get("/gaps", params={"from": "1970-01-01T00:00:00Z", "to": "+1h"})
            gaps = {gap["device"]: gap for gap in answer.raise_for_status().json()["items"]}
            assert len(gaps) == len(answer.json()["items"]) == len(plant.played), "one gap a device: nothing was lost with the historian or the bus"
            for name, played in plant.played.items():
                gap = gaps[name]
                assert gap["cause"] == "gateway stopped"
                start, end = (np.datetime64(gap[edge].removesuffix("Z"), "us") for edge in ("start", "end"))
                missing = await rows_missing(client, played)
                assert len(missing), "the device went on while the gateway was away"
                assert ((missing > start) & (missing < end)).all()
                known = np.setdiff1d(played.recording.times.astype("datetime64[us]"), missing)
                assert not ((known > start) & (known < end)).any(), "the gap tells of nothing that is known"
