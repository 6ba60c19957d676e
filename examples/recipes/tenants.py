"""A session per tenant: the name of the cookie depends on the host of the request, and so does the derived key.

The signature includes the name. So other tenants, whose user 7 is another person, reject the cookie of this one.

What it does not do: keep tenants apart in your tables, or in the lists of a store. There, make the tenant a part of the
owner.
"""

import os
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SecureCookieSessionInterface, SessionMiddleware, Settings

TENANTS = {"acme.localhost": "acme", "globex.localhost": "globex"}


class TenantInterface(SecureCookieSessionInterface):
    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        # The visitor can send any Host header, so only known hosts get a name.
        tenant = TENANTS.get(request.domain.lower())
        return f"session-{tenant}" if tenant else "session"


@wsgify
def app(request: Request) -> Response:
    tenant = TENANTS.get(request.domain.lower())
    if tenant is None:
        return Response("Nobody lives here.", status=404)
    session = request.environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    return Response(f"{tenant}: visit {session['visits']}")


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]}, session_interface=TenantInterface())
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
