"""EarlierCookies: what earlier responses on the same environ have set.

An error document, or a retry, calls the application a second time with the environ of the first call, and the browser
sees one response only. So the later exchange reads what the earlier one wrote, as if the browser had been there in
between, and its response sets what the earlier one has set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn
from wsgiref.types import WSGIEnvironment

from ._caching import Headers
from ._cookies import replace_cookies


class EarlierCookies:
    """The session cookies that the responses on one environ have set.

    It stands in the environ, so neither its repr nor its attributes show a token, and it cannot be serialized.

    :param sent: the very header list that went to the server
    :param own: the application's own headers
    """

    __slots__ = ("_list_responses",)

    KEY = "handstamp.earlier_cookies"

    def __init__(self, sent: Headers, own: Headers) -> None:
        responses = [(sent, own)]
        # As Hidden does, without a second object for each response.
        self._list_responses: Callable[[], list[tuple[Headers, Headers]]] = lambda: responses

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be serialized or copied deeply, because it holds tokens")

    def add(self, sent: Headers, own: Headers) -> None:
        """Remember another response."""
        self._list_responses().append((sent, own))

    def update_environ(self, environ: WSGIEnvironment) -> WSGIEnvironment:
        """Return a copy of an environ, with the cookies that the browser would have by now."""
        header = replace_cookies(environ.get("HTTP_COOKIE", ""), (line for _, line in self._find_fields()))
        return {**environ, "HTTP_COOKIE": header}

    def take_back(self) -> Headers:
        """Remove the cookies from the earlier responses, and return them.

        An outer middleware may add the headers of both responses together: then there must be one of each.
        """
        fields = list(self._find_fields())
        for sent, own in self._list_responses():
            sent[:] = [field for field in sent if field not in fields or field in own]
        self._list_responses().clear()
        return fields

    def _find_fields(self) -> Iterator[tuple[str, str]]:
        for sent, own in self._list_responses():
            yield from find_cookies(sent, own)


def find_cookies(sent: Headers, own: Headers) -> Headers:
    """Return the Set-Cookie fields of a response that are not the application's own."""
    return [field for field in sent if field[0].lower() == "set-cookie" and field not in own]


def merge_cookies(headers: Headers, cookies: Headers) -> bool:
    """Add cookies whose names are not set yet, the last one of each name; return whether there were any.

    A middleware outside of ours finds the earlier cookie in the headers already. It goes where a later one was set.
    """
    last = {_name(line): index for index, (field, line) in enumerate(headers) if field.lower() == "set-cookie"}
    missing = {_name(line): (field, line) for field, line in cookies if _name(line) not in last}
    headers[:] = [
        field for index, field in enumerate(headers) if field not in cookies or last[_name(field[1])] == index
    ]
    headers.extend(missing.values())
    return bool(missing)


def _name(line: str) -> str:
    return line.partition("=")[0].strip(" \t")
