"""Client of the realtime-attribution HTTP API.

``Client`` and ``AsyncClient`` have a method per operation; ``track``, ``conversion`` and ``flush`` send events in the
background. Money is an integer of micros (``revenue_micros``) or an exact ``Decimal`` (``revenue``), never a float.
"""

from attribution_client.async_client import AsyncClient
from attribution_client.batching import Batching, Queued, Rejected
from attribution_client.cache import Cache
from attribution_client.client import Client
from attribution_client.lines import in_calls
from attribution_client.live import LiveEvent
from attribution_client.money import to_decimal
from attribution_client.problems import (
    AttributionError,
    Conflict,
    FieldProblem,
    InvalidInput,
    NotAllowed,
    NotDelivered,
    NotFound,
    NotSignedIn,
    Problem,
    ProtocolError,
    QueueFull,
    ServiceUnavailable,
    ServiceUnreachable,
    TooManyRequests,
)
from attribution_client.retrying import Retries
from attribution_client.sender import Delivered
from attribution_client.version import VERSION

__version__ = VERSION

__all__ = [
    "AsyncClient",
    "AttributionError",
    "Batching",
    "Cache",
    "Client",
    "Conflict",
    "Delivered",
    "FieldProblem",
    "InvalidInput",
    "LiveEvent",
    "NotAllowed",
    "NotDelivered",
    "NotFound",
    "NotSignedIn",
    "Problem",
    "ProtocolError",
    "QueueFull",
    "Queued",
    "Rejected",
    "Retries",
    "ServiceUnavailable",
    "ServiceUnreachable",
    "TooManyRequests",
    "__version__",
    "in_calls",
    "to_decimal",
]
