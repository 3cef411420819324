"""The smallest whole plant: one Modbus device that can be written to, every service as a process, and a client that is logged in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from plant.site_writer import write_site
from tests.modbus_device import SET_POINT, ModbusTestDevice
from tests.stack import Stack, api_client, running_stack


class ModbusPlant(NamedTuple):
    """``ready`` is what each service told when it was ready."""

    device: ModbusTestDevice
    stack: Stack
    client: httpx.AsyncClient
    ready: dict[str, Mapping[str, Any]]

    async def link_is(self, state: str) -> None:
        """Waits until the device's link is in this state."""
        async with asyncio.timeout(30):
            while (await self.client.get("/devices")).json()["items"][0]["state"] != state:
                await asyncio.sleep(0.05)

    async def prepared(self, value: float | str, tag: str = SET_POINT.name, **headers: str) -> dict[str, Any]:
        answer = await self.client.post("/commands", json={"tag": tag, "value": value, "reason": "trial"}, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def confirmed(self, command: Mapping[str, Any], **changes: Any) -> httpx.Response:
        return await self.client.post(f"/commands/{command['id']}/confirm", json={"nonce": command["nonce"], "value": command["value"], **changes})

    async def written(self, value: float) -> None:
        """Prepares, confirms, and sees that it was done."""
        answer = (await self.confirmed(await self.prepared(value))).json()
        assert answer["state"] == "done", answer


@asynccontextmanager
async def modbus_plant(folder: Path, store_url: str) -> AsyncIterator[ModbusPlant]:
    async with ModbusTestDevice() as device:
        write_site(device.site, folder / "site")
        async with running_stack(folder / "stack", folder / "site", store_url) as stack:
            ready = {name: await stack.start(name) for name in ("historian", "control", "api", "gateway")}
            async with api_client(ready["api"]["api"]) as client:
                plant = ModbusPlant(device, stack, client, ready)
                await plant.link_is("up")
                yield plant
