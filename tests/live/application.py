"""What the servers serve: the plain example behind handstamp, and a big file beside it.

The environment holds the settings, and says which file it is and where to note what the server was given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from plain import app

from handstamp import SessionMiddleware, Settings

#: The pages that send the file, and what each does with the session first.
FILES: dict[str, Callable[[Any], object]] = {
    "/file": lambda session: None,
    "/file-after-a-look": lambda session: session.get("user"),
}


def pages(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Send the file, or what the example says."""
    look = FILES.get(environ["PATH_INFO"])
    if look is None:
        body: Iterable[bytes] = app(environ, start_response)  # type: ignore[no-untyped-call]  # as its readers write
        return body
    look(environ["session"])
    path = Path(os.environ["LIVE_FILE"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(path.stat().st_size))])
    file: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"), 65536)
    environ["live.file"] = file
    return file


middleware = SessionMiddleware(pages, Settings.from_strings(os.environ, prefix="HANDSTAMP_"))


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Note whether the server gets back the very object that its own ``wsgi.file_wrapper`` made."""
    body = middleware(environ, start_response)
    if environ["PATH_INFO"] in FILES:
        kind = f"{type(body).__module__}.{type(body).__qualname__}"
        Path(os.environ["LIVE_NOTE"]).write_text(json.dumps({"own": body is environ["live.file"], "kind": kind}))
    return body
