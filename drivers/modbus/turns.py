"""Whose request is next on a line: the units take turns, so that none waits for more than one request of each other."""

from collections import deque

from drivers.modbus.exchange import Exchange, Seat


class Turns:
    """Requests not sent yet, in turn by seat and, within a seat, in order. Requests that were given up meanwhile are passed over."""

    def __init__(self) -> None:
        self._of: dict[Seat, deque[Exchange]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def put(self, exchange: Exchange, *, first: bool = False) -> None:
        """``first``: before what else waits of its own seat, as an operator's command before a scan."""
        waiting = self._of.get(exchange.seat)
        if waiting is None:
            self._of[exchange.seat] = deque([exchange])
        elif first:
            waiting.appendleft(exchange)
        else:
            waiting.append(exchange)

    def next(self) -> Exchange | None:
        """Takes the next request. Its seat goes to the end of the row."""
        while self._of:
            seat = next(iter(self._of))
            waiting = self._of.pop(seat)
            exchange = waiting.popleft()
            if waiting:
                self._of[seat] = waiting
            if not exchange.future.done():
                return exchange
        return None

    def remove(self, seat: Seat) -> list[Exchange]:
        """What waits of a seat."""
        return list(self._of.pop(seat, ()))
