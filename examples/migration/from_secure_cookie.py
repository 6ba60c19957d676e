"""Replace secure-cookie (once ``werkzeug.contrib.securecookie``): read a cookie in JSON (the default since 0.1) once.

If such a cookie was saved with ``expires`` or ``session_expires``, it contains the time when it expires. It never
contains the time when it was issued. So a cookie without an expiry always counts as new. Remove this interface when
every visitor has had the time to come back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_plus

from read_once import Key, OldSession, ReadOnceInterface, to_bytes

from handstamp import RejectReason
from handstamp.interfaces import BadToken


class SecureCookieOnce(ReadOnceInterface):
    """Read the cookies of secure-cookie's ``SecureCookie`` once. The old key is its ``secret_key``."""

    #: The ``hash_method`` of SecureCookie. Change it if your application did.
    old_hash_method = staticmethod(hashlib.sha1)

    def read_old(self, value: str, key: Key) -> OldSession | None:
        signature, _, text = value.partition("?")
        mac = hmac.new(to_bytes(key), b"".join(b"|" + item for item in text.encode().split(b"&")), self.old_hash_method)
        if not hmac.compare_digest(mac.digest(), b64decode(signature, validate=True)):
            return None
        data = dict(parse(item) for item in text.split("&"))
        now = int(self.now())
        if now > data.pop("_expires", now):
            raise BadToken(RejectReason.IDLE)
        return OldSession(data, now, now)


def parse(item: str) -> tuple[str, Any]:
    """Read ``name=base64(JSON)``."""
    name, _, text = item.partition("=")
    return unquote_plus(name), json.loads(b64decode(text, validate=True))
