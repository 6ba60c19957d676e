"""Share one session with a Flask application: each side reads the cookies that the other side wrote."""

import hashlib

from flask.json.tag import TaggedJSONSerializer

from handstamp import SecureCookieSessionInterface


class SharedWithFlask(SecureCookieSessionInterface):
    salt = "cookie-session"
    key_derivation = "hmac"
    digest_method = staticmethod(hashlib.sha1)
    serializer = TaggedJSONSerializer()
