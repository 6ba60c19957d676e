"""Share one session with a Flask application: each side reads the cookies that the other side wrote.

What it does not do: a session that Flask began does not contain the time when it began, and Flask signs a permanent one
again at each request, so it always looks new. It has no absolute limit. ``validate_session`` cannot see its beginning,
because ``session.created`` is the time when Flask last signed it. To end sessions early, let Flask's own sign-in write
``flask.session["_created"] = int(time.time())``. Both sides keep it.
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
