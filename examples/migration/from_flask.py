"""Replace Flask's sessions: read a Flask cookie once, and issue ours. This file does not need Flask.

To share one session with a Flask application that keeps running, see ``shared_with_flask.py``.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

from read_once import Key, OldSession, ReadOnceInterface

from handstamp import RejectReason
from handstamp.interfaces import BadToken, SigningCodec


class FlaskOnce(ReadOnceInterface):
    """Read the cookies of Flask's ``SecureCookieSessionInterface`` once."""

    #: Flask's class attributes. Change them if your Flask application did.
    old_salt = b"cookie-session"
    old_digest_method = staticmethod(hashlib.sha1)
    old_key_derivation = "hmac"

    def read_old(self, value: str, key: Key) -> OldSession | None:
        codec = SigningCodec([key], self.old_salt, self.old_digest_method, self.old_key_derivation)
        try:
            content, issued, _ = codec.unseal(value)
        except BadToken as error:
            if error.reason is RejectReason.BAD_SIGNATURE:
                return None
            raise
        data = untag(json.loads(codec.unpack(content)))
        created = data.get("_created")  # present if the session was shared with ours
        return OldSession(data, issued, created if type(created) is int else issued, bool(data.get("_permanent")))


def untag(value: Any) -> Any:
    """Read values that Flask's TaggedJSONSerializer wrote, the inner values first."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    read = {key: untag(item) for key, item in value.items()}
    name = next(iter(read), "")
    return TAGS[name](read[name]) if len(read) == 1 and name in TAGS else read


def untag_dict(value: dict[str, Any]) -> dict[str, Any]:
    """Read a dict whose only key looks like a tag. Flask appends two underscores to such a key."""
    ((key, item),) = value.items()
    return {key[:-2]: item}


TAGS: dict[str, Callable[[Any], Any]] = {
    " di": untag_dict,
    " t": tuple,
    " b": b64decode,
    " m": str,  # Markup becomes str: write Markup(session["text"]) in the page that shows it
    " u": UUID,
    " d": parsedate_to_datetime,
}
