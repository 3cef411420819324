"""From a line of the indicator to samples. Pure: bytes in, columns out.

``S GROSS=18230.5 TARE=7200`` is a stable weight, ``M`` before it a moving one: Uncertain. ``E`` is a broken load cell: Bad.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from plant.batch import SampleBatch
from plant.errors import DeviceProtocolError
from plant.quality import Quality

_QUALITY: Final = {b"S": Quality.GOOD, b"M": Quality.UNCERTAIN_SUB_NORMAL, b"E": Quality.BAD_SENSOR_FAILURE}


def decode(line: bytes, ids: Mapping[str, int], time: int) -> SampleBatch:
    """Samples of the tags in ``ids`` (channel -> tag id) at ``time``, UTC microseconds; a channel that the line lacks is Bad.

    Raises:
        DeviceProtocolError: the line is none of the indicator's.
    """
    state, *fields = line.split() or [b""]
    if state not in _QUALITY:
        raise DeviceProtocolError(f"the indicator sent {line!r}, which begins with none of S, M, E")
    found: dict[str, float] = {}
    for field in fields:
        channel, _, number = field.decode("ascii", "replace").partition("=")
        try:
            found[channel] = float(number)
        except ValueError:
            raise DeviceProtocolError(f"the indicator sent {field!r}, which is no CHANNEL=NUMBER") from None
    value = [found.get(channel, np.nan) for channel in ids]
    quality = [_QUALITY[state] if channel in found else Quality.BAD_NOT_FOUND for channel in ids]
    return SampleBatch.of_one_time(list(ids.values()), time, value, quality)
