"""The table of targets."""

from . import app_headers, cookie_header, payload_text, settings_dict

TARGETS = {
    "cookies": cookie_header.TARGET,
    "settings": settings_dict.TARGET,
    "payload": payload_text.TARGET,
    "headers": app_headers.TARGET,
}
