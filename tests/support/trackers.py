"""What error trackers and debuggers show of an error, each asked as its users ask it; no event leaves the process.

They are given the frames of one package only: what an application keeps in its own is its own affair.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType, TracebackType
from typing import Any

import elasticapm
import rollbar
import sentry_sdk
from elasticapm.transport.base import Transport as ElasticTransport
from rich.traceback import Traceback
from sentry_sdk.envelope import Envelope
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport as SentryTransport
from werkzeug.debug.repr import DebugReprGenerator
from werkzeug.debug.tbtools import DebugTraceback

from handstamp import SessionError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Pyramid imports pkg_resources, which is deprecated
    from pyramid_debugtoolbar import repr as pyramid_repr
    from pyramid_debugtoolbar import tbtools as pyramid_tbtools

#: The sessions' inherited methods are collections.abc's.
OURS = ("handstamp", "collections")

DEPTH = 9


# -- frames -----------------------------------------------------------------------------------------------------------


def list_chain(error: BaseException) -> list[BaseException]:
    """Return an error, and every error that it was raised from."""
    chain: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        found = queue.pop()
        if found is not None and not any(found is known for known in chain):
            chain.append(found)
            queue += [found.__cause__, found.__context__]
    return chain


def list_frames(error: BaseException) -> list[FrameType]:
    """Return the frames of an error and of its chain."""
    return [frame for each in list_chain(error) for frame, _ in traceback.walk_tb(each.__traceback__)]


def is_ours(frame: FrameType) -> bool:
    """Return whether a frame is one of handstamp's."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in OURS


@contextmanager
def our_frames_alone(error: BaseException) -> Iterator[None]:
    """Take all other frames out of an error and its chain, for a while."""
    whole = [(each, each.__traceback__) for each in list_chain(error)]
    for each, trace in whole:
        each.__traceback__ = _keep_ours(trace)
    yield
    for each, trace in whole:
        each.__traceback__ = trace


def _keep_ours(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    rest = _keep_ours(trace.tb_next)
    kept = TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return kept if is_ours(trace.tb_frame) else rest


# -- error trackers ---------------------------------------------------------------------------------------------------


class _Kept(SentryTransport):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def read_sentry(error: BaseException) -> str:
    """Return what Sentry's SDK sends."""
    _SENTRY.events.clear()
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(_make_sentry())
        scope.capture_exception(error)
    assert _SENTRY.events
    return json.dumps(_SENTRY.events, default=repr)


_SENTRY = _Kept()


@cache
def _make_sentry() -> sentry_sdk.Client:
    # It leaves out what is called session or token, wherever it finds it; others do not.
    nothing = EventScrubber(denylist=[], pii_denylist=[])
    options: dict[str, Any] = {"default_integrations": False, "event_scrubber": nothing}
    return sentry_sdk.Client(dsn="http://key@127.0.0.1:1/1", transport=_SENTRY, **options)


def read_rollbar(error: BaseException) -> str:
    """Return what Rollbar's SDK sends."""
    sent: list[Any] = []
    before = rollbar.send_payload
    rollbar.init("x" * 32, "production", handler="blocking")
    rollbar.send_payload = lambda payload, access_token: sent.append(payload)
    try:
        rollbar.report_exc_info((type(error), error, error.__traceback__))
    finally:
        rollbar.send_payload = before
    assert sent
    return json.dumps(sent, default=repr)


class KeptByElastic(ElasticTransport):
    """Keep events."""

    events: list[Any] = []  # noqa: RUF012  # the client makes its transport itself

    def queue(self, event_type: str, data: Any, flush: bool = False) -> None:
        self.events.append(data)

    def start_thread(self, pid: int | None = None) -> None:
        """Start none."""


def read_elastic(error: BaseException) -> str:
    """Return what Elastic's agent sends."""
    KeptByElastic.events.clear()
    _make_elastic().capture_exception(exc_info=(type(error), error, error.__traceback__))
    assert KeptByElastic.events
    return json.dumps(KeptByElastic.events, default=repr)


@cache
def _make_elastic() -> Any:
    return elasticapm.Client(
        service_name="shop",
        transport_class=f"{__name__}.KeptByElastic",
        metrics_interval="0ms",
        central_config=False,
        cloud_provider=False,
        local_var_max_length=9999,
    )


# -- debuggers --------------------------------------------------------------------------------------------------------


def read_werkzeug(error: BaseException) -> str:
    """Return the page of Werkzeug's debugger, and what its console shows of the locals."""
    debugger = DebugTraceback(error)
    page = debugger.render_debugger_html(evalex=True, secret="", evalex_trusted=True)
    return page + _dump(DebugReprGenerator, list_frames(error))


def read_pyramid(error: BaseException) -> str:
    """Return the text of Pyramid's debugger, and what its console shows of the locals."""
    found = pyramid_tbtools.get_traceback((type(error), error, error.__traceback__))
    return str(found.plaintext) + _dump(pyramid_repr.DebugReprGenerator, list_frames(error))


def _dump(generator: Callable[[], Any], frames: list[FrameType]) -> str:
    """Return what ``dump()`` and ``dump(name)`` show in a debugger's console."""
    parts = [generator().dump_locals(frame.f_locals) for frame in frames]
    parts += [generator().dump_object(value) for frame in frames for value in frame.f_locals.values()]
    return "".join(parts)


def read_rich(error: BaseException) -> str:
    """Return the locals in a traceback of rich; to colour its source lines would take a minute in all."""
    whole: dict[str, Any] = {"locals_max_length": None, "locals_max_string": None}
    trace = Traceback.extract(type(error), error, error.__traceback__, show_locals=True, **whole)
    nodes = [node for stack in trace.stacks for frame in stack.frames for node in (frame.locals or {}).values()]
    return "".join([str(stack.exc_value) for stack in trace.stacks] + [node.render() for node in nodes])


def read_standard_library(error: BaseException) -> str:
    """Return a traceback of the standard library, with locals."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


# -- walks ------------------------------------------------------------------------------------------------------------


def read_json(error: BaseException) -> str:
    """Return the locals as ``json.dumps(value, default=vars)`` writes them, or their repr where it cannot."""
    return "".join(dump_json(value) for frame in list_frames(error) for value in frame.f_locals.values())


def dump_json(value: object) -> str:
    """Write an object as ``json.dumps(value, default=vars)`` does, or its repr where that cannot."""
    try:
        return json.dumps(value, default=vars)
    except (TypeError, ValueError):
        return repr(value)


def read_deeply(error: BaseException) -> str:
    """Return whatever can be reached from the locals through items, attributes and slots.

    Frames of collections.abc are left out: they hold views (``session.items()``), which nobody else looks into.
    """
    frames = [frame for frame in list_frames(error) if frame.f_globals["__name__"] != "collections.abc"]
    return "".join(walk(value) for frame in frames for value in frame.f_locals.values())


def walk(value: object) -> str:
    """Return the reprs of all that can be reached from an object, as one that writes dataclasses deeply would."""
    seen: dict[int, object] = {}
    level = [value]
    for _ in range(DEPTH):
        level = [item for item in level if id(item) not in seen]
        seen |= {id(item): item for item in level}
        level = [inner for item in level for inner in _list_inside(item)]
    return "".join(map(repr, seen.values()))


def _list_inside(value: object) -> list[object]:
    if isinstance(value, str | bytes | int | type | type(sys)):
        return []
    inside: list[object] = list(getattr(value, "__dict__", {}).values())
    names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    inside += [getattr(value, name) for name in names - {"__dict__", "__weakref__"} if hasattr(value, name)]
    with suppress(SessionError):  # a session that can no longer be loaded
        if isinstance(value, Mapping):
            inside += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            inside += value
    return inside


#: Everyone who is asked.
READERS: dict[str, Callable[[BaseException], str]] = {
    "Sentry": read_sentry,
    "Rollbar": read_rollbar,
    "Elastic": read_elastic,
    "Werkzeug": read_werkzeug,
    "Pyramid": read_pyramid,
    "rich": read_rich,
    "traceback": read_standard_library,
    "json": read_json,
    "a deep walk": read_deeply,
}
