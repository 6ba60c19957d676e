"""Keep sessions in Redis or Valkey: the smallest program that can run on several machines.

    export SECRET_KEY=$(python -m handstamp secret)    # the same on every machine
    pip install 'handstamp[redis]' && REDIS_URL=redis://127.0.0.1:6379/0 python examples/redis_sessions.py

Then open http://127.0.0.1:8000. Start the program again with PORT=8001, and both count the same visits. While Redis is
down, the program answers 500. When Redis is back, the next request works. If two requests write the same key at the
same time, the last one wins. Writes to different keys never affect each other.
"""

import os
from collections.abc import Iterable
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from handstamp import SessionMiddleware
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores.redis import RedisStore


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"visit {session['visits']}\n".encode()]


def connect(url: str) -> Redis:
    """Return a client that gives up soon. By default redis-py 8.1 waits 5 seconds, and retries ten times."""
    retry = Retry(ExponentialBackoff(cap=0.1, base=0.01), 2)  # seconds; each call of a store may be repeated
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=retry)


if __name__ == "__main__":
    store = RedisStore(connect(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")))
    settings = {"SECRET_KEY": os.environ["SECRET_KEY"]}
    wrapped = SessionMiddleware(app, settings, session_interface=ServerSideSessionInterface(store))
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
