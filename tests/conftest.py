"""What holds for every test."""

from hypothesis import settings

# A law is not a race: how long an example takes depends on the machine.
settings.register_profile("handstamp", settings(), deadline=None)
settings.load_profile("handstamp")
