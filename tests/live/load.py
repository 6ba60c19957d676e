"""Many visitors at once, with the habits of browsers; each must see its own session and nobody else's.

A visitor keeps a jar and a few connections, which stay open, and asks for several pages at once. It knows what it has
done, so it knows every word of what it must see. What it does not see is a finding, and ends the run.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlencode

CONNECTIONS = 4  # of one visitor; browsers open up to six to a host
ITEMS = ("pear", "plum", "fig", "quince", "medlar")
ABOUT = "This page leaves the session alone.\n"


class Wrong(Exception):
    """A visitor saw what was not its own."""


class Page(NamedTuple):
    """A page, and the cookie that came with it, if one did."""

    text: str
    cookie: str | None


class Connection:
    """A connection that stays open, and is opened again if the server has closed it in between."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> Page:
        """Send a request; once more, as browsers do, if a connection that was kept turns out to be closed."""
        if self.streams is not None:
            try:
                return await self.exchange(request)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                await self.close()
                if getattr(error, "partial", b""):
                    raise
        self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        return await self.exchange(request)

    async def exchange(self, request: bytes) -> Page:
        """Send a request and read what comes back."""
        assert self.streams is not None
        reader, writer = self.streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = parse_fields(head)
        if "chunked" in fields.get("transfer-encoding", ""):
            body = b"".join([chunk async for chunk in read_chunks(reader)])
        else:
            body = await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection", "").lower() == "close":
            await self.close()
        if not head.startswith("HTTP/1.1 200 "):
            raise Wrong(f"{request!r} was answered by {head!r}")
        return Page(body.decode(), fields.get("set-cookie"))

    async def close(self) -> None:
        """Close it, if it is open."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def parse_fields(head: str) -> dict[str, str]:
    """Return the fields of a head, their names in lower case."""
    pairs = (line.partition(":") for line in head.split("\r\n")[1:] if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Read a chunked body, without trailers."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)


class Shopper:
    """Knows its name, what it has put into its basket, and what it therefore must see."""

    def __init__(self, port: int, name: str, chance: random.Random) -> None:
        self.name = name
        self.chance = chance
        self.cookie = ""
        self.user = "stranger"
        self.basket: list[str] = []
        self.streams = 0
        self.rounds = 0
        self.seen: Counter[str] = Counter()
        self.connections = [Connection(port) for _ in range(CONNECTIONS)]

    @property
    def home(self) -> str:
        """What the pages about the session say."""
        return f"{self.user}: {' '.join(self.basket)}\n"

    async def go_round(self) -> None:
        """Sign in, fill a basket, look around with every connection at once, and sign out."""
        self.rounds += 1
        user = f"{self.name}-{self.rounds}"
        self.user = user
        await self.change("/sign-in", self.home, user=user)
        for item in self.chance.sample(ITEMS, self.chance.randint(1, 4)):
            self.basket.append(f"{self.name}-{item}")
            await self.change("/basket", self.home, item=self.basket[-1])
            await self.look_around()
        self.streams += 1
        await self.expect(0, "GET", "/stream", f"stream {self.streams}\nthe end\n", sets=True)
        await self.look_around()
        self.user, self.basket, self.streams = "stranger", [], 0
        await self.change("/sign-out", self.home)
        await self.look_around()

    async def change(self, path: str, text: str, **form: str) -> None:
        """Send a form on any connection."""
        await self.expect(self.chance.randrange(CONNECTIONS), "POST", path, text, urlencode(form), sets=True)

    async def look_around(self) -> None:
        """Read several pages at once; none of them sets a cookie."""
        pages = [("/", self.home), ("/about", ABOUT), ("/", self.home), ("/", self.home)]
        visits = [self.expect(number, "GET", path, text) for number, (path, text) in enumerate(pages)]
        await asyncio.gather(*visits)

    async def expect(
        self, number: int, method: str, path: str, text: str, form: str = "", *, sets: bool = False
    ) -> None:
        """Send a request, and hold the answer against what must be seen."""
        answer = await self.connections[number].send(self.write(method, path, form))
        self.seen[path] += 1
        if answer.text != text:
            raise Wrong(f"{self.name} asked for {path} and saw {answer.text!r}, not {text!r}")
        if (answer.cookie is not None) is not sets:
            raise Wrong(f"{self.name} asked for {path} and got the cookie {answer.cookie!r}")
        if answer.cookie is not None:
            pair, _, attributes = answer.cookie.partition(";")
            self.cookie = "" if "max-age=0" in attributes.lower() else pair

    def write(self, method: str, path: str, form: str) -> bytes:
        """Write a request as a browser does."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
        if self.cookie:
            lines.append(f"Cookie: {self.cookie}")
        return "\r\n".join([*lines, "", form]).encode()

    async def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            await connection.close()


@asynccontextmanager
async def visitors(port: int, names: Iterable[str]) -> AsyncIterator[list[Shopper]]:
    """Have visitors, who leave in the end."""
    crowd = [Shopper(port, name, random.Random(name)) for name in names]
    try:
        yield crowd
    finally:
        for visitor in crowd:
            await visitor.close()


async def crowd(port: int, names: Iterable[str], requests: int) -> Counter[str]:
    """Let visitors go their rounds until they have sent so many requests together; count them by their pages.

    :raises Wrong: says who saw what
    """
    async with visitors(port, names) as everybody, asyncio.TaskGroup() as group:

        def count() -> int:
            return sum(visitor.seen.total() for visitor in everybody)

        async def stay(visitor: Shopper) -> None:
            while count() < requests:
                await visitor.go_round()

        for visitor in everybody:
            group.create_task(stay(visitor))
    return sum((visitor.seen for visitor in everybody), Counter())
