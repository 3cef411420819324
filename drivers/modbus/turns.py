"""Whose request is next on a line: the units take turns, so that none waits for more than one request of each other; a command does not wait for scans."""

from collections import deque
from typing import Final

from drivers.modbus.exchange import Exchange, Seat

_FIRST: Final = 0
_OTHERS: Final = 1


class Turns:
    """Requests not sent yet: those of commands, and behind them the others; both in turn by seat and, within a seat, in order. Requests that were given up
    meanwhile are passed over."""

    def __init__(self) -> None:
        self._rows: tuple[dict[Seat, deque[Exchange]], dict[Seat, deque[Exchange]]] = ({}, {})

    def __bool__(self) -> bool:
        return any(self._rows)

    def put(self, exchange: Exchange, *, first: bool = False) -> None:
        """``first``: before the scans of every unit, as an operator's command."""
        self._rows[_FIRST if first else _OTHERS].setdefault(exchange.seat, deque()).append(exchange)

    def next(self) -> Exchange | None:
        """Takes the next request. Its seat goes to the end of its row."""
        for row in self._rows:
            while row:
                seat = next(iter(row))
                waiting = row.pop(seat)
                exchange = waiting.popleft()
                if waiting:
                    row[seat] = waiting
                if not exchange.future.done():
                    return exchange
        return None

    def remove(self, seat: Seat) -> list[Exchange]:
        """What waits of a seat."""
        return [exchange for row in self._rows for exchange in row.pop(seat, ())]
