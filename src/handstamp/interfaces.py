"""Building blocks for interfaces that read the cookies of other libraries.

``examples/migration`` is made of them. An interface that keeps sessions somewhere else needs none: see
:class:`handstamp.SessionInterface`.
"""

from ._cookies import MAX_COOKIE_BYTES, find_values, format_deletion
from ._loaded import Loaded
from ._policy import format_attributes
from ._rejection import BadToken
from ._tokens import MAX_PAYLOAD_BYTES, SigningCodec

__all__ = [
    "MAX_COOKIE_BYTES",
    "MAX_PAYLOAD_BYTES",
    "BadToken",
    "Loaded",
    "SigningCodec",
    "find_values",
    "format_attributes",
    "format_deletion",
]
