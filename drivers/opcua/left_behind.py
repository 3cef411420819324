"""What a session leaves in a server when its connection is lost: the next connection goes on from there.

Rules:

1. A server keeps a session, and in it the subscriptions and what they queue, until its time is over. A connection that comes back in that time activates the
   session anew (OPC UA Part 4, 5.6.3) and asks for what nobody received: a cable that was pulled for some seconds costs no sample.
2. A session that is of no use to go on with is activated anew too, to be closed before there is another one: a server has few places. It holds one session of
   ours, however often the cable is pulled, and a second one only until its time is over where it was offered in vain.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drivers.opcua.connection import SessionIdentity
from drivers.opcua.monitored_items import Watched
from drivers.opcua.subscription import Subscription

_MOST_TRIES: Final = 2


@dataclass(slots=True)
class LeftBehind:
    """``until`` is a time of the event loop."""

    identity: SessionIdentity
    subscriptions: Sequence[Subscription]
    watched: Watched
    until: float
    is_of_use: bool
    tries: int = 0

    def take(self) -> SessionIdentity | None:
        """What to activate over a connection that stands; ``None`` where there is no more use in it. A server that was restarted may end the connection over a
        session that it never had, so that it is not offered for ever; a cable may be pulled just then, so that it is offered twice."""
        self.tries += 1
        is_over = self.until < asyncio.get_running_loop().time() or self.tries > _MOST_TRIES
        return None if is_over else self.identity
