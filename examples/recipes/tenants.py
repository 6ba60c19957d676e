"""A session per tenant: the cookie's name follows the host that the request asks for, and so does its key.

A name is signed along, so one tenant's cookie does not open at another's host, where user 7 is somebody else.

What it does not do: keep tenants apart in your tables, or in a store's lists: put the tenant into the owner there.
"""

import os
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SecureCookieSessionInterface, SessionMiddleware, Settings

TENANTS = {"acme.localhost": "acme", "globex.localhost": "globex"}


class TenantInterface(SecureCookieSessionInterface):
    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        # The visitor writes the host: only those that are known make a name.
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
