"""Replace Beaker's cookie sessions: read a cookie with ``data_serializer = json`` and a ``validate_key`` once.

For sessions that Beaker encrypted (``encrypt_key``), pickled, or keeps on the server, see ``beside_beaker.py``.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode

from read_once import Key, OldSession, ReadOnceInterface, name_cookie, to_bytes, unzip

# The number of hexadecimal digits of the HMAC-SHA1 at the beginning.
_SIGNATURE = 40


class BeakerOnce(ReadOnceInterface):
    """Read the cookies of Beaker's ``CookieSession`` once. The old key is its ``validate_key``."""

    old_cookie = name_cookie("beaker.session.id")

    def read_old(self, value: str, key: Key) -> OldSession | None:
        signature, text = value[:_SIGNATURE].encode(), value[_SIGNATURE:].encode()
        if not hmac.compare_digest(hmac.new(to_bytes(key), text, "sha1").hexdigest().encode(), signature):
            return None
        held = json.loads(unzip(b64decode(text, validate=True)))
        data = {name: item for name, item in held.items() if name not in OWN}
        return OldSession(data, int(held["_accessed_time"]), int(held["_creation_time"]))


#: Beaker's internal keys among the data.
OWN = frozenset({"_accessed_time", "_creation_time", "_domain", "_id", "_path"})
