"""What a session leaves in a server when its connection is lost: the next connection goes on from there.

Rule: a server keeps a session, and in it the subscriptions and what they queue, until its time is over. A connection that comes back in that time activates
the session anew (OPC UA Part 4, 5.6.3) and asks for what nobody received: a cable that was pulled for some seconds costs no sample, and the server holds
one session, not two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.opcua.connection import SessionIdentity
from drivers.opcua.monitored_items import Watched
from drivers.opcua.subscription import Subscription


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """``until`` is a time of the event loop."""

    identity: SessionIdentity
    subscriptions: Sequence[Subscription]
    watched: Watched
    until: float
