"""Replace Pyramid's ``SignedCookieSessionFactory``: read a cookie in JSON (the default since Pyramid 2.0) once.

Flash messages and the CSRF token are ordinary data: ``session["_f_"]`` and ``session["_csrft_"]``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode

from read_once import Key, OldSession, ReadOnceInterface, to_bytes


class PyramidOnce(ReadOnceInterface):
    """Read the cookies of ``SignedCookieSessionFactory`` once. The old key is its ``secret``."""

    #: The factory's ``salt`` and ``hashalg``. Change them if your application did.
    old_salt = "pyramid.session."
    old_hashalg = "sha512"

    def read_old(self, value: str, key: Key) -> OldSession | None:
        signed = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        size = hashlib.new(self.old_hashalg).digest_size
        signature, text = signed[:size], signed[size:]
        if not hmac.compare_digest(hmac.digest(self._salted(key), text, self.old_hashalg), signature):
            return None
        renewed, created, data = json.loads(text)
        return OldSession(data, int(renewed), int(created))

    def _salted(self, key: Key) -> bytes:
        if isinstance(key, str):
            try:
                return (self.old_salt + key).encode("latin-1")
            except UnicodeEncodeError:
                pass
        return self.old_salt.encode() + to_bytes(key)
