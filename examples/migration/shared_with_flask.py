"""Share one session with a Flask application, both ways: each reads and writes what the other wrote."""

import hashlib

from flask.json.tag import TaggedJSONSerializer

from handstamp import SecureCookieSessionInterface


class SharedWithFlask(SecureCookieSessionInterface):
    salt = "cookie-session"
    key_derivation = "hmac"
    digest_method = staticmethod(hashlib.sha1)
    serializer = TaggedJSONSerializer()
