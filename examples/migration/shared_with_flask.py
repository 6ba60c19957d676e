"""Share one session with a Flask application, both ways: each reads and writes what the other wrote.

What it does not do: a session that Flask began does not say when, and Flask signs a permanent one anew at each request,
so that it looks young for ever. It has no absolute limit, and ``validate_session`` cannot see its beginning: it takes
``session.created`` for the time when Flask signed last. To end sessions early, have Flask's own sign-in write
``flask.session["_created"] = int(time.time())``, which both sides keep.
"""

import hashlib

from flask.json.tag import TaggedJSONSerializer
from webob import Request

from handstamp import SecureCookieSessionInterface, Settings, SettingsError


class SharedWithFlask(SecureCookieSessionInterface):
    salt = "cookie-session"
    key_derivation = "hmac"
    digest_method = staticmethod(hashlib.sha1)
    serializer = TaggedJSONSerializer()

    def check_settings(self, settings: Settings) -> None:
        if settings["SESSION_ABSOLUTE_LIFETIME"] is not None:
            raise SettingsError("SESSION_ABSOLUTE_LIFETIME: a session that Flask began does not say when; leave it out")
        super().check_settings(settings)

    def get_cookie_domain(self, settings: Settings, request: Request) -> str | None:
        # Since Flask 2.3 SERVER_NAME gives no Domain. A cookie of another Domain is another cookie, which signing out
        # on the other side would leave.
        domain: str | None = settings["SESSION_COOKIE_DOMAIN"] or None
        return domain
