"""Replace Django's ``signed_cookies`` sessions: read a cookie in JSON (as Django 3.1 and later sign it) once.

The id of the signed-in user is ordinary data: ``session["_auth_user_id"]``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from string import ascii_lowercase, ascii_uppercase, digits

from read_once import Key, OldSession, ReadOnceInterface, name_cookie, to_bytes, unzip


class DjangoOnce(ReadOnceInterface):
    """Read the cookies of ``django.contrib.sessions.backends.signed_cookies`` once. The old keys are Django's.

    By default Django's cookies outlive the browser. Pass ``permanent=False`` for SESSION_EXPIRE_AT_BROWSER_CLOSE.
    """

    old_cookie = name_cookie("sessionid")
    permanent = True

    def read_old(self, value: str, key: Key) -> OldSession | None:
        signed, _, signature = value.rpartition(":")
        if not hmac.compare_digest(sign(signed, key), signature.encode()):
            return None
        text, _, time = signed.rpartition(":")
        data, issued = json.loads(unpack(text)), decode_base62(time)
        closes = data.pop("_session_expiry", None) == 0  # set_expiry(0): it ends with the browser
        return OldSession(data, issued, issued, False if closes else None)


def sign(text: str, key: Key) -> bytes:
    """Sign as Django's Signer does, with a key that is derived for its purpose."""
    derived = hashlib.sha256(b"django.contrib.sessions.backends.signed_cookiessigner" + to_bytes(key)).digest()
    return urlsafe_b64encode(hmac.digest(derived, text.encode(), "sha256")).rstrip(b"=")


def unpack(text: str) -> str:
    """Decode base64url, and decompress it by zlib if it begins with a dot."""
    packed = urlsafe_b64decode(text.removeprefix(".") + "=" * (-len(text.removeprefix(".")) % 4))
    return (unzip(packed) if text.startswith(".") else packed).decode("latin-1")


def decode_base62(text: str) -> int:
    """Read a time in whole seconds since 1970."""
    number = 0
    for digit in text:
        number = number * 62 + _BASE62.index(digit)
    return number


_BASE62 = digits + ascii_uppercase + ascii_lowercase
