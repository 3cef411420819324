"""What an OPC UA server has to offer, for people who make a site of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from drivers.opcua import Browser, Connection, PathPatterns, Pki, Variable
from plant.device import OpcuaDevice

__all__ = ["Variable", "browse"]

_TOLD_EVERY: Final = 1.0
_PATIENCE: Final = 15.0
"""Seconds for an answer: of thousands of calls none may be late, and nothing in the plant waits for them."""


async def browse(
    device: OpcuaDevice, pki_folder: Path, start: str | None, included: Sequence[str], excluded: Sequence[str], tell: Callable[[int, int], None]
) -> Sequence[Variable]:
    """The variables of a server below ``start`` whose path the patterns choose (``drivers.opcua.PathPatterns``), by path and then by node. Branches that the
    server refuses to show are told whatever the patterns are: nobody knows what is below them.

    ``tell`` hears about once a second how many nodes were seen, and variables chosen, so far.

    Raises:
        DeviceUnreachable, DeviceProtocolError
    """
    patterns = PathPatterns(included, excluded)
    connection = await Connection.open(replace(device, timeout=max(device.timeout, _PATIENCE)), Pki(pki_folder))
    chosen: list[Variable] = []
    try:
        browser = Browser(connection)
        clock = asyncio.get_running_loop().time
        told = clock()
        async for variables in browser.variables(start):
            chosen += [variable for variable in variables if variable.is_branch or patterns.choose("/".join(variable.path))]
            if clock() - told >= _TOLD_EVERY:
                told = clock()
                tell(browser.seen, len(chosen))
            await connection.renew_channel()
        tell(browser.seen, len(chosen))
    finally:
        await connection.close()
    return sorted(chosen, key=lambda variable: (variable.path, variable.node or ""))
