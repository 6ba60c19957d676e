"""Every error belongs to one family and reads as a sentence; a refused cookie is none of them."""

from __future__ import annotations

import pytest

from handstamp._rejection import BadToken
from handstamp.exceptions import (
    CookieTooLarge,
    RejectReason,
    ReservedKey,
    SessionCommitted,
    SessionEnded,
    SessionError,
    SessionUnavailable,
    SettingsError,
    StoreError,
    UnserializableValue,
)

#: Each error, and the builtin that code written without knowing handstamp catches.
FAMILY = [
    (SettingsError, ValueError),
    (SessionUnavailable, RuntimeError),
    (SessionCommitted, RuntimeError),
    (SessionEnded, RuntimeError),
    (CookieTooLarge, ValueError),
    (UnserializableValue, TypeError),
    (ReservedKey, KeyError),
    (StoreError, Exception),
]


@pytest.mark.parametrize(("error", "builtin"), FAMILY)
def test_family(error: type[SessionError], builtin: type[Exception]) -> None:
    """Every error can be caught as SessionError and as the builtin that fits."""
    assert issubclass(error, SessionError)
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [error for error, _ in FAMILY])
def test_message_is_shown_as_it_is(error: type[SessionError]) -> None:
    """The text of an error is its message, without quotes, a KeyError's too."""
    assert str(error("basket: too big; keep less")) == "basket: too big; keep less"


def test_settings_error_keeps_every_problem() -> None:
    """The problems of a SettingsError can be read one by one."""
    assert SettingsError("A: wrong; mend it", "B: wrong; mend it").problems == (
        "A: wrong; mend it",
        "B: wrong; mend it",
    )


def test_settings_error_lists_every_problem() -> None:
    """Several problems stand on a line each, under their number."""
    assert str(SettingsError("A: wrong", "B: wrong")) == "2 problems:\n  A: wrong\n  B: wrong"


def test_reasons() -> None:
    """The reasons for which a cookie is refused are the seven that the manual names."""
    assert {reason.value for reason in RejectReason} == {
        "malformed",
        "bad_signature",
        "idle",
        "absolute",
        "future",
        "too_long",
        "revoked",
    }


@pytest.mark.parametrize("reason", list(RejectReason))
def test_reason_is_its_word(reason: RejectReason) -> None:
    """A reason reads as its word, in a log line and in a comparison."""
    assert f"{reason}" == reason == reason.value


def test_bad_token_says_why() -> None:
    """A token that does not open carries the reason."""
    assert BadToken(RejectReason.IDLE).reason is RejectReason.IDLE


def test_bad_token_is_no_error_of_the_application() -> None:
    """A hostile cookie cannot be mistaken for a mistake of the application."""
    assert not issubclass(BadToken, SessionError)
