"""Show users where they are signed in, and let them end sessions on other devices.

    python examples/devices.py    # needs waitress; then open http://127.0.0.1:8000 in two browsers (PORT changes it)

Sessions are kept in memory, or in Redis if REDIS_URL is set (``pip install 'handstamp[redis]'``). This is a demo: any
name is signed in without a password. Everything else is meant to be copied.

A session belongs to its ``owner``. ``interface.sessions(owner)`` lists what an owner has, ``interface.end(handle)``
ends one of them at once, ``interface.end_all(owner, keep=session)`` all but one.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from html import escape
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import waitress
from webob import Request

from handstamp import SessionEnded, SessionMiddleware
from handstamp.serverside import ServerSideSession, ServerSideSessionInterface, SessionInfo
from handstamp.stores import MemoryStore, Store

Form = dict[str, str]
FORM_BYTES = 2048
NAME_LENGTH = 40
LABEL_LENGTH = 60

# "Last seen" is then exact to a minute, at the cost of one small write a minute. The default is one write a day.
SETTINGS = {"SESSION_REFRESH_INTERVAL": 60}


class Html(str):
    """Text that is already markup. ``fill`` escapes all other values."""


def fill(template: str, **values: object) -> Html:
    """Put escaped values into a template, so that neither a name nor a User-Agent can become markup."""
    return Html(template.format(**{k: v if isinstance(v, Html) else escape(str(v)) for k, v in values.items()}))


class Answer(NamedTuple):
    """The response to the browser."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


HOME = Answer(303, headers=(("Location", "/"),))


class Refusal(Exception):
    """A rejected request, with a message to the visitor."""

    def __init__(self, status: int, word: str, *headers: tuple[str, str]) -> None:
        self.answer = Answer(status, page(HTTPStatus(status).phrase, NOTICE, word=word), headers)


# -- the application --------------------------------------------------------------------------------------------------


def make_app(settings: dict[str, Any], store: Store) -> WSGIApplication:
    """Wrap the page in the session middleware, and in a function that handles sessions that were ended meanwhile."""
    interface = ServerSideSessionInterface(store)
    app = partial(devices, interface)
    return go_home_if_ended(SessionMiddleware(app, {**SETTINGS, **settings}, session_interface=interface))


def go_home_if_ended(app: WSGIApplication) -> WSGIApplication:
    """Redirect a request if another request ended its session, because its changes could not be saved.

    This function wraps the middleware, which saves the session. All bodies here are lists, so the session is saved
    before the call returns, and nothing has been sent yet. A streamed body would save it with the first chunk.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except SessionEnded:
            return send(HOME, start_response)

    return answer


def devices(
    interface: ServerSideSessionInterface, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    try:
        answer = respond(interface, Request(environ))
    except Refusal as refusal:
        answer = refusal.answer
    body = send(answer, start_response)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else body


def send(answer: Answer, start_response: StartResponse) -> list[bytes]:
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", [*HEADERS, *answer.headers])
    return [answer.body.encode()]


def respond(interface: ServerSideSessionInterface, request: Request) -> Answer:
    """Show a page, or perform an action and redirect, so that a reload does not repeat it."""
    path, session = request.environ.get("PATH_INFO") or "/", request.environ["session"]
    if path in PAGES and request.method in ("GET", "HEAD"):
        return PAGES[path](interface, session)
    if path in ACTIONS and request.method == "POST":
        form = read_form(request)
        if session.owner is None and path != "/sign-in":
            return HOME  # the page says that this session has ended
        check_token(session, form)
        ACTIONS[path](interface, session, form, request)
        return HOME
    if path in PAGES or path in ACTIONS:
        methods = ["GET, HEAD"] * (path in PAGES) + ["POST"] * (path in ACTIONS)
        raise Refusal(405, "That does not work at this address.", ("Allow", ", ".join(methods)))
    raise Refusal(404, "There is nothing at this address.")


# -- pages ------------------------------------------------------------------------------------------------------------


def show_devices(interface: ServerSideSessionInterface, session: ServerSideSession) -> Answer:
    if session.owner is None:
        return Answer(200, page("Not signed in", STRANGER))  # nothing is written, so nothing is stored
    token = fill(HIDDEN, token=session["csrf"])
    kept = interface.sessions(session.owner)
    here = [each for each in kept if each.handle == session.handle]
    others = [each for each in kept if each.handle != session.handle]
    rows = [show_row(each, THIS, token) for each in here] + [show_row(each, OTHER, token) for each in others]
    rest = fill(REST, token=token) if others else ALONE
    values = {"user": session.owner, "rows": Html("".join(rows)), "rest": rest}
    return Answer(200, page("Where am I signed in?", TABLE, **values))


def show_row(kept: SessionInfo, template: str, token: Html) -> Html:
    moments = {"signed_in": show_moment(kept.data["signed_in"]), "seen": show_moment(kept.seen)}
    return fill(template, device=kept.data["device"], handle=kept.handle, token=token, **moments)


def show_moment(moment: datetime) -> Html:
    return fill(MOMENT, iso=f"{moment:%Y-%m-%dT%H:%MZ}", text=f"{moment:%d %b %Y, %H:%M}")


def show_door(interface: ServerSideSessionInterface, session: ServerSideSession) -> Answer:
    """Show the form. It needs a session, because otherwise another site could sign visitors in to its own account."""
    if session.owner is not None:
        return HOME
    token = fill(HIDDEN, token=session.setdefault("csrf", secrets.token_urlsafe(16)))
    return Answer(200, page("Sign in", DOOR, token=token))


# -- actions ----------------------------------------------------------------------------------------------------------


def sign_in(interface: ServerSideSessionInterface, session: ServerSideSession, form: Form, request: Request) -> None:
    if session.owner is not None:
        return  # already signed in, in another tab; two people never share a session
    session.owner = read_name(form)
    session.renew()  # an attacker who planted the session or saw its token can no longer use it
    session["csrf"] = secrets.token_urlsafe(16)
    session["device"] = find_label(request.environ.get("HTTP_USER_AGENT", ""))
    session["signed_in"] = datetime.fromtimestamp(interface.now(), UTC)


def sign_out(interface: ServerSideSessionInterface, session: ServerSideSession, form: Form, request: Request) -> None:
    session.invalidate()


def end_one(interface: ServerSideSessionInterface, session: ServerSideSession, form: Form, request: Request) -> None:
    handle = form.get("handle", "")
    if handle == session.handle:
        session.invalidate()
    # A form may contain any handle, so look it up among the user's own sessions.
    elif any(each.handle == handle for each in interface.sessions(session.owner)):
        interface.end(handle)


def end_others(interface: ServerSideSessionInterface, session: ServerSideSession, form: Form, request: Request) -> None:
    interface.end_all(session.owner, keep=session)
    session.renew()  # this cookie may have been copied too


PAGES = {"/": show_devices, "/sign-in": show_door}
ACTIONS = {"/sign-in": sign_in, "/sign-out": sign_out, "/end": end_one, "/end-others": end_others}


# -- what comes in ----------------------------------------------------------------------------------------------------


def read_form(request: Request) -> Form:
    """Read the fields of a form. Reject a body that is too long or not a form."""
    environ = request.environ
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(415, "Only forms are read here.")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length not in range(FORM_BYTES + 1):
            raise Refusal(413, f"A form may have {FORM_BYTES} bytes here.")
        return dict(parse_qsl(environ["wsgi.input"].read(length).decode("ascii"), errors="strict", max_num_fields=10))
    except ValueError:
        raise Refusal(400, "That form cannot be read.") from None


def check_token(session: ServerSideSession, form: Form) -> None:
    """Reject a form that another site made the browser send (CSRF). Only our own page knows the token."""
    token = session.get("csrf", "")
    if not token or not secrets.compare_digest(token.encode(), form.get("csrf", "").encode()):
        raise Refusal(403, "That form is older than your session. Go back to the page and try again.")


def read_name(form: Form) -> str:
    name = " ".join(form.get("name", "").split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise Refusal(400, f"A name has 1 to {NAME_LENGTH} characters.")
    return name


def find_label(agent: str) -> str:
    """Return a label for a device from its User-Agent, as well as possible. A visitor may send any text there."""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    printable = "".join(letter for letter in agent if letter.isprintable()).strip()
    return printable[:LABEL_LENGTH] or "A device that does not say"


# The first match counts, because most browsers name others too.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


# -- how it looks -----------------------------------------------------------------------------------------------------


def page(title: str, template: str, **values: object) -> str:
    return fill(TOP, title=title, style=STYLE) + fill(template, title=title, **values) + "</main>\n"


TOP = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · handstamp</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E%3Ccircle
 cx='4.5' cy='4.5' r='3' fill='none' stroke='%23d6246e' stroke-width='2'/%3E%3C/svg%3E">
<style>{style}</style>
<header><a href="/">handstamp</a> <p>Your sessions are kept at the door, and you can have any of them struck off.</p>
</header>
<main>
"""
NOTICE = """<h1>{title}</h1><p class="word">{word}</p><p><a class="button" href="/">Back to the page</a></p>"""
STRANGER = """<h1>You are not signed in.</h1>
<p class="word">Nobody has signed in here, or the session was ended, perhaps from another device.</p>
<p><a class="button" href="/sign-in">Sign in</a></p>"""
HIDDEN = '<input type="hidden" name="csrf" value="{token}">'
DOOR = """<h1>{title}</h1>
<p class="word">Any name will do, without a password: this is a demo.</p>
<form class="card door" method="post" action="/sign-in">{token}
<label>Name <input name="name" required maxlength="40" autocomplete="username"></label>
<button>Sign in</button></form>"""
TABLE = """<h1>{title}</h1>
<p class="word">These are the sessions of <b><bdi>{user}</bdi></b>. End those that you do not know.</p>
<div class="card"><table>
<thead><tr><th scope="col">Device</th><th scope="col">Signed in</th><th scope="col">Last seen</th>
<th scope="col"><span class="unseen">End it</span></th></tr></thead>
<tbody>
{rows}</tbody></table></div>
{rest}
<p class="note">Times are UTC, and true to a minute.</p>"""
THIS = """<tr class="this"><th scope="row"><bdi>{device}</bdi> <span class="mark">this one</span></th>
<td><span class="key">Signed in</span> {signed_in}</td><td><span class="key">Last seen</span> now</td>
<td><form method="post" action="/sign-out">{token}<button>Sign out</button></form></td></tr>
"""
OTHER = """<tr><th scope="row"><bdi>{device}</bdi></th>
<td><span class="key">Signed in</span> {signed_in}</td><td><span class="key">Last seen</span> {seen}</td>
<td><form method="post" action="/end">{token}<button name="handle" value="{handle}"
 aria-label="End {device}">End</button></form></td></tr>
"""
MOMENT = '<time datetime="{iso}">{text}</time>'
REST = """<form class="rest" method="post" action="/end-others">{token}<button>End all others</button></form>"""
ALONE = Html('<p class="rest">You are signed in nowhere else.</p>')
STYLE = Html("""
:root { color-scheme: light dark; --page: #edf1ee; --card: #fff; --ink: #13201b; --soft: #51605a; --line: #d2dbd6;
  --stamp: #c2185b }
@media (prefers-color-scheme: dark) { :root { --page: #0d1210; --card: #151c19; --ink: #ecf2ef; --soft: #9fafa8;
  --line: #2b3732; --stamp: #ff6aa6 } }
* { box-sizing: border-box; margin: 0 }
body { max-width: 56rem; margin: auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 3rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 "Avenir Next", "Segoe UI", "Helvetica Neue", "Nimbus Sans", sans-serif }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; color: var(--soft); font-size: .9rem }
header a { color: var(--ink); font-size: 1.15rem; font-weight: 700; letter-spacing: -.02em; text-decoration: none }
main { padding-top: 2.25rem }
h1 { font-size: clamp(1.9rem, 5vw, 2.6rem); line-height: 1.1; letter-spacing: -.035em }
.word { margin: .6rem 0 1.5rem; color: var(--soft); font-size: 1.1rem; overflow-wrap: anywhere }
.word b { color: var(--ink) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: .5rem 1.5rem }
.door { display: flex; flex-wrap: wrap; gap: .7rem; align-items: end; max-width: 30rem; padding: 1.5rem }
label { flex: 1 1 9rem; color: var(--soft); font-size: .875rem }
input[name=name] { display: block; width: 100%; padding: .55rem .75rem; font: inherit; font-size: 1rem;
  color: var(--ink); background: var(--card); border: 1px solid var(--soft); border-radius: 8px }
button, .button { padding: .5rem 1.1rem; font: inherit; font-weight: 600; color: var(--page); background: var(--ink);
  border: 1px solid var(--ink); border-radius: 8px; cursor: pointer; text-decoration: none; display: inline-block }
td button { padding: .3rem .9rem; color: var(--ink); background: none; border-color: var(--line); font-size: .9rem }
td button:hover { color: var(--stamp); border-color: var(--stamp) }
:focus-visible { outline: 3px solid var(--stamp); outline-offset: 2px }
table { width: 100%; border-collapse: collapse }
th, td { padding: .8rem 1.5rem .8rem 0; text-align: left; vertical-align: baseline }
th:last-child, td:last-child { padding-right: 0; text-align: right; white-space: nowrap }
tbody tr { border-top: 1px solid var(--line) } tbody th { overflow-wrap: anywhere }
thead th, td { color: var(--soft); font-size: .9rem; font-weight: 400 } time { white-space: nowrap }
.mark { display: inline-block; margin-left: .4rem; padding: 0 .6rem; color: var(--stamp); border: 1px solid;
  border-radius: .8rem; font-size: .8rem; font-weight: 400; white-space: nowrap }
.rest { margin: 1.25rem 0; text-align: right } p.rest { text-align: left }
.note { color: var(--soft); font-size: .85rem } .key { display: none }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (max-width: 46rem) {
  .card { padding: .25rem 1.15rem } .door { padding: 1.15rem } thead { display: none }
  tr, tbody th, td { display: block } tbody tr { padding: 1rem 0 } tbody tr:first-child { border: 0 }
  th, td { padding: .15rem 0 } td:last-child { padding-top: .6rem; text-align: left } .key { display: inline }
  .rest { text-align: left }
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


def make_store(url: str | None) -> Store:
    if not url:
        return MemoryStore()
    from redis import Redis
    from redis.backoff import ExponentialBackoff
    from redis.retry import Retry

    from handstamp.stores.redis import RedisStore

    retry = Retry(ExponentialBackoff(cap=0.1, base=0.01), 2)  # see redis_sessions.py
    client = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=retry)
    return RedisStore(client, prefix="devices:")


def main() -> None:
    key = os.environ.get("SECRET_KEY")
    if not key:
        print("No SECRET_KEY in the environment: made one for this run. Sessions will not outlive it.", flush=True)
    app = make_app({"SECRET_KEY": key or secrets.token_hex(32)}, make_store(os.environ.get("REDIS_URL")))
    waitress.serve(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), threads=8)


if __name__ == "__main__":
    main()
