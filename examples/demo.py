"""Show visitors their own session: the demo of handstamp.

    python examples/demo.py     # needs waitress; then open http://127.0.0.1:8000 (set PORT to change it)

It uses plain WSGI, without a framework or JavaScript. ``PAGES`` show something. ``ACTIONS`` change the session, then
redirect. For the application the session is a dict, ``environ["session"]``. For the browser it is one signed cookie.
"""

import base64
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import escape
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

import waitress

from handstamp import SecureCookieSession, SecureCookieSessionInterface, SessionMiddleware, Settings

Form = dict[str, str]
COOKIE_BYTES = 4096  # the size limit of browsers for name and value together (RFC 6265bis)
BASKET_BYTES = 2400  # leaves room for the rest of the session
FORM_BYTES = 2048
TEXT_LENGTH = 40
MOMENT = "%d %b %Y, %H:%M:%S UTC"


class Html(str):
    """Text that is already markup. ``fill`` escapes all other values."""


def fill(template: str, **values: object) -> Html:
    """Put escaped values into a template, so that a visitor's name cannot become markup."""
    return Html(template.format(**{k: v if isinstance(v, Html) else escape(str(v)) for k, v in values.items()}))


class Answer(NamedTuple):
    """The response to the browser."""

    status: int
    body: Iterable[str] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """A rejected request, with a message to the visitor."""

    def __init__(self, status: int, word: str, *headers: tuple[str, str]) -> None:
        self.answer = Answer(status, [page(HTTPStatus(status).phrase, NOTICE, word=word), END], headers)


class WatchedSessions(SecureCookieSessionInterface):
    """The usual signed cookies. The Set-Cookie line is also stored for the inspector."""

    def set_cookie(self, settings: Settings, session: Any, response: Any, value: str) -> None:
        super().set_cookie(settings, session, response, value)
        response.request.environ["demo.cookie"] = settings, response.headers.getall("Set-Cookie")[-1]


def make_app(settings: dict[str, Any]) -> SessionMiddleware:
    """Wrap the application. Without an inspector, ``SessionMiddleware(demo, settings)`` would be enough."""
    return SessionMiddleware(demo, settings, session_interface=WatchedSessions())


def demo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    try:
        status, body, headers = respond(environ)
    except Refusal as refusal:
        status, body, headers = refusal.answer
    start_response(f"{status} {HTTPStatus(status).phrase}", [*HEADERS, *headers])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else map(str.encode, body)


def respond(environ: WSGIEnvironment) -> Answer:
    """Show a page, or perform an action and redirect, so that a reload does not repeat it."""
    path, method = environ.get("PATH_INFO") or "/", environ["REQUEST_METHOD"]
    if path in PAGES and method in ("GET", "HEAD"):
        return PAGES[path](environ)
    if path in ACTIONS and method == "POST":
        form = read_form(environ)
        check_token(environ["session"], form)
        return Answer(303, headers=(("Location", ACTIONS[path](environ["session"], form)),))
    if path in PAGES or path in ACTIONS:
        raise Refusal(405, "That does not work at this address.", ("Allow", "GET, HEAD" if path in PAGES else "POST"))
    raise Refusal(404, "There is nothing at this address.")


def home(environ: WSGIEnvironment) -> Answer:
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    session.setdefault("csrf", secrets.token_urlsafe(16))
    return Answer(200, stream_home(environ))


def goodbye(environ: WSGIEnvironment) -> Answer:
    if environ["session"]:  # The visitor has a session, so has not signed out.
        return Answer(303, headers=(("Location", "/"),))
    return Answer(200, [page("Signed out", NOTICE, word="Your session is over, and its cookie is gone."), END])


def sign_in(session: SecureCookieSession, form: Form) -> str:
    session["user"] = text_of(form, "name")
    session["csrf"] = secrets.token_urlsafe(16)
    session.permanent = "remember" in form
    session.renew()  # OWASP: renew the session at sign-in, so that a planted session is useless.
    return "/"


def sign_out(session: SecureCookieSession, form: Form) -> str:
    session.invalidate()
    return "/goodbye"


def add_item(session: SecureCookieSession, form: Form) -> str:
    if len(json.dumps(session.setdefault("basket", []))) > BASKET_BYTES:
        raise Refusal(409, "The basket is full: a cookie has room for little. Take something out first.")
    session["basket"].append(text_of(form, "item"))  # The session detects changes inside a list.
    return "/#basket"


def remove_item(session: SecureCookieSession, form: Form) -> str:
    if form.get("item") in session.get("basket", []):
        session["basket"].remove(form["item"])
    return "/#basket"


PAGES = {"/": home, "/goodbye": goodbye}
ACTIONS = {"/sign-in": sign_in, "/sign-out": sign_out, "/basket/add": add_item, "/basket/remove": remove_item}


def read_form(environ: WSGIEnvironment) -> Form:
    """Read the fields of a form. Reject a body that is too long or not a form."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(415, "Only forms are read here.")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length not in range(FORM_BYTES + 1):
            raise Refusal(413, f"A form may have {FORM_BYTES} bytes here.")
        body = environ["wsgi.input"].read(length).decode("ascii")
        return dict(parse_qsl(body, errors="strict", max_num_fields=10))
    except ValueError:
        raise Refusal(400, "That form cannot be read.") from None


def check_token(session: SecureCookieSession, form: Form) -> None:
    """Reject a form that another site made the browser send (CSRF). Only our own page knows the token."""
    token = session.get("csrf", "")
    if not token or not secrets.compare_digest(token.encode(), form.get("csrf", "").encode()):
        raise Refusal(403, "That form is older than your session. Go back to the page and try again.")


def text_of(form: Form, field: str) -> str:
    text = " ".join(form.get(field, "").split())
    if not 0 < len(text) <= TEXT_LENGTH:
        raise Refusal(400, f"The {field} needs 1 to {TEXT_LENGTH} characters.")
    return text


def stream_home(environ: WSGIEnvironment) -> Iterator[str]:
    """Yield the page in two pieces. The first sends the cookie, so that the second can show it."""
    session = environ["session"]
    token = fill(HIDDEN, token=session["csrf"])
    door = fill(MEMBER, user=session["user"], token=token) if "user" in session else fill(STRANGER, token=token)
    items = Html("".join(fill(ITEM, item=item, token=token) for item in session.get("basket", [])))
    yield page("Your session", HOME, visits=session["visits"], door=door, items=items or EMPTY, token=token)
    yield inspector(session.created, *environ["demo.cookie"]) + END


def page(title: str, template: str, **values: object) -> str:
    return fill(TOP, title=title, style=STYLE) + fill(template, title=title, **values)


def inspector(created: datetime, settings: Settings, line: str) -> Html:
    """Split a Set-Cookie line. Anybody who has the cookie can do this, because it is signed but not encrypted."""
    cookie, *attributes = line.split("; ")
    name, _, value = cookie.partition("=")
    payload, time, seal = value.rsplit(".", 2)
    signed = datetime.fromtimestamp(int.from_bytes(decode(time)), UTC)
    size, room = len(name) + len(value), COOKIE_BYTES
    bar = fill(BAR, size=size, room=room, to_time=size - len(seal), to_payload=size - len(seal) - len(time))
    marks = Html("".join(fill("<li>{mark}</li>", mark=mark) for mark in attributes))
    facts = {"signed": f"{signed:{MOMENT}}", "created": f"{created:{MOMENT}}", "expires": expiry(settings, attributes)}
    parts = {"name": name, "payload": payload, "time": time, "seal": seal, "data": pretty(payload)}
    return fill(INSPECTOR, **parts, **facts, bar=bar, marks=marks)


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def pretty(payload: str) -> str:
    text = zlib.decompress(decode(payload[1:])) if payload.startswith(".") else decode(payload)
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def expiry(settings: Settings, attributes: list[str]) -> str:
    told = dict(attribute.partition("=")[::2] for attribute in attributes)
    if "Expires" in told:
        return f"{parsedate_to_datetime(told['Expires']):{MOMENT}}, Max-Age {told['Max-Age']}"
    idle = settings["SESSION_IDLE_LIFETIME"] or settings["PERMANENT_SESSION_LIFETIME"]
    return f"when the browser closes, or after {idle / timedelta(days=1):g} days idle"


def main() -> None:
    key = os.environ.get("SECRET_KEY")
    if not key:
        print("No SECRET_KEY in the environment: made one for this run. Sessions will not outlive it.", flush=True)
    settings = {"SECRET_KEY": key or secrets.token_hex(32)}
    waitress.serve(make_app(settings), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), threads=8)


TOP = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · handstamp</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E%3Ccircle
 cx='4.5' cy='4.5' r='3' fill='none' stroke='%23d6246e' stroke-width='2'/%3E%3C/svg%3E">
<style>{style}</style>
<header><a href="/">handstamp</a> <p>A session that you carry, and only the door can stamp.</p></header>
<main>
"""
END = "</main>\n"
NOTICE = """<section class="door"><h1>{title}</h1><p>{word}</p><p><a class="button" href="/">Back to the page</a></p>
</section>"""
HIDDEN = '<input type="hidden" name="csrf" value="{token}">'
STRANGER = """<h1>Hello, stranger.</h1>
<p>You carry a session already. Sign in, and it is issued anew with all that is in it.</p>
<form method="post" action="/sign-in">{token}
<label>Name <input name="name" required maxlength="40" autocomplete="given-name"></label> <button>Sign in</button>
<label class="check"><input type="checkbox" name="remember"> Remember me</label></form>
<code class="line">session.renew()</code>"""
MEMBER = """<h1>Come in, <bdi>{user}</bdi>.</h1>
<p>Your session was issued anew when you signed in. Sign out, and it is over.</p>
<form method="post" action="/sign-out">{token}<button>Sign out</button></form>
<code class="line">session.invalidate()</code>"""
EMPTY = Html("<li>Nothing in it yet.</li>")
ITEM = """<li><bdi>{item}</bdi><form method="post" action="/basket/remove">{token}
<button name="item" value="{item}" aria-label="Remove {item}">Remove</button></form></li>"""
HOME = """<svg class="stamp" viewBox="0 0 200 200" role="img" aria-label="Visit {visits}"><defs>
<path id="rim" d="M100 182a82 82 0 1 1 .1 0"/><filter id="ink"><feTurbulence baseFrequency=".05" numOctaves="2"/>
<feDisplacementMap in="SourceGraphic" scale="2.5"/></filter></defs><g filter="url(#ink)">
<circle cx="100" cy="100" r="97"/><circle cx="100" cy="100" r="72"/><text class="rim">
<textPath href="#rim" textLength="505">HANDSTAMP ✦ SIGNED AT THE DOOR ✦ ADMIT ONE ✦ </textPath></text>
<text x="100" y="74">VISIT</text><text x="100" y="132" class="count">{visits}</text></g></svg>
<section class="door">{door}</section>
<section class="card" id="basket" aria-labelledby="basket-title"><h2 id="basket-title">Basket</h2>
<ul>{items}</ul>
<form method="post" action="/basket/add">{token}
<label>Item <input name="item" required maxlength="40" autocomplete="off"></label> <button>Add</button></form>
<code class="line">session["basket"].append(item)</code></section>
"""
BAR = """<svg class="bar" viewBox="0 0 {room} 1" preserveAspectRatio="none" aria-hidden="true">
<rect class="seal" width="{size}" height="1"/><rect class="time" width="{to_time}" height="1"/>
<rect class="payload" width="{to_payload}" height="1"/></svg>
<p class="size"><strong>{size}</strong> of {room} bytes</p>"""
INSPECTOR = """<section class="card" aria-labelledby="inspector-title"><h2 id="inspector-title">Your cookie</h2>
<p class="cookie">{name}=<b class="payload">{payload}</b>.<b class="time">{time}</b>.<b class="seal">{seal}</b></p>
{bar}
<dl><dt class="payload">Payload</dt><dd>Anyone who holds the cookie can read it.<pre>{data}</pre></dd>
<dt class="time">Time</dt><dd>Signed {signed}</dd>
<dt class="seal">Signature</dt><dd>Only a server with the secret key can make it.</dd>
<dt>Created</dt><dd>{created}</dd><dt>Expires</dt><dd>{expires}</dd>
<dt>Sent with</dt><dd><ul class="marks">{marks}</ul></dd></dl></section>
"""
STYLE = Html("""
:root { color-scheme: light dark; --page: #edf1ee; --card: #fff; --ink: #13201b; --soft: #51605a; --line: #d2dbd6;
  --stamp: #c2185b; --payload: #b8134f; --time: #855000; --seal: #00676a }
@media (prefers-color-scheme: dark) { :root { --page: #0d1210; --card: #151c19; --ink: #ecf2ef; --soft: #9fafa8;
  --line: #2b3732; --stamp: #ff6aa6; --payload: #ff85b3; --time: #f3b64c; --seal: #52d3cd } }
* { box-sizing: border-box; margin: 0 }
body { max-width: 68rem; margin: auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 3rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 "Avenir Next", "Segoe UI", "Helvetica Neue", "Nimbus Sans", sans-serif }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; color: var(--soft); font-size: .9rem }
header a { color: var(--ink); font-size: 1.15rem; font-weight: 700; letter-spacing: -.02em; text-decoration: none }
main { display: grid; grid: auto auto / minmax(0, 5fr) minmax(0, 7fr); gap: 1.25rem; align-items: start }
h1 { font-size: clamp(2rem, 5vw, 2.9rem); line-height: 1.1; letter-spacing: -.035em; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; letter-spacing: -.015em } dt { font-weight: 600 }
.door { grid-area: 1 / 1 / 2 / -1; max-width: min(34rem, 100% - 17rem); padding: 2.75rem 0 1.75rem }
.door p { margin: .6rem 0 1.2rem; color: var(--soft); font-size: 1.1rem; text-wrap: balance }
.stamp { grid-area: 1 / 2; justify-self: end; align-self: center; width: 14rem; rotate: -12deg; fill: var(--stamp);
  margin-right: 2rem; font: 700 15px ui-monospace, "Liberation Mono", monospace; text-anchor: middle }
.stamp circle { fill: none; stroke: var(--stamp); stroke-width: 5 }
.stamp .rim { text-anchor: start; font-size: 14px } .stamp .count { font-size: 58px; letter-spacing: -.04em }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.5rem }
form { display: flex; flex-wrap: wrap; gap: .7rem; align-items: end }
label { flex: 1 1 9rem; color: var(--soft); font-size: .875rem }
.check { flex-basis: 100%; color: var(--ink); font-size: 1rem }
.check input { width: 1.1rem; height: 1.1rem; margin-right: .3rem; vertical-align: -.15rem; accent-color: var(--stamp) }
input[name=name], input[name=item] { display: block; width: 100%; padding: .55rem .75rem; font: inherit;
  font-size: 1rem; color: var(--ink); background: var(--card); border: 1px solid var(--soft); border-radius: 8px }
button, .button { padding: .55rem 1.1rem; font: inherit; font-weight: 600; color: var(--page); background: var(--ink);
  border: 1px solid var(--ink); border-radius: 8px; cursor: pointer; text-decoration: none; display: inline-block }
:focus-visible { outline: 3px solid var(--stamp); outline-offset: 2px }
code, pre, .cookie { font: .85rem/1.6 ui-monospace, "Liberation Mono", monospace; overflow-wrap: anywhere }
ul { list-style: none; padding: 0 } #basket ul { margin: .75rem 0 1.25rem }
#basket li { display: flex; gap: 1rem; justify-content: space-between; min-height: 2.9rem; align-items: center;
  padding: .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
li form { flex: none } li button:hover { color: var(--ink); border-color: var(--line) }
li button { padding: .2rem .6rem; color: var(--soft); background: none; border-color: transparent; font-size: .875rem }
.cookie { margin: 1rem 0; padding: 1rem; word-break: break-all; background: var(--page); border-radius: 8px }
.cookie b { font-weight: 400 } .line { display: block; margin-top: 1.1rem; color: var(--soft) }
.payload { color: var(--payload); fill: var(--payload) } .time { color: var(--time); fill: var(--time) }
.seal { color: var(--seal); fill: var(--seal) }
.bar { display: block; width: 100%; height: .8rem; background: var(--line); border-radius: 1rem }
.size { margin: .35rem 0 1.25rem; color: var(--soft); font-size: .875rem; text-align: right }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .6rem 1.25rem }
pre { margin-top: .4rem; white-space: pre-wrap } .marks { display: flex; flex-wrap: wrap; gap: .4rem }
.marks li { padding: 0 .55rem; border: 1px solid var(--line); border-radius: .8rem; font-size: .85rem }
@media (max-width: 46rem) {
  main, dl { display: block } dd { margin-bottom: .8rem } .card { margin-top: 1.25rem; padding: 1.15rem }
  .stamp { float: right; width: 8.25rem; margin: 1.25rem 0 0 1rem } .door { max-width: none; padding: 2rem 0 .75rem }
}
""")
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{DIGEST}'; img-src data:; form-action 'self'"
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),  # Otherwise the back button would show who was signed in.
    ("Content-Security-Policy", f"{POLICY}; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
]

if __name__ == "__main__":
    main()
