"""Keys, settings and times that the tests agree on."""

KEY = "the key of the tests, no secret"
OLD_KEY = "the key of last year, no secret"
SETTINGS = {"SECRET_KEY": KEY}

#: 2023-11-14 22:13:20 UTC, in seconds since 1970.
START = 1_700_000_000

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600  # seconds
