"""Tests with real servers, proxies and browsers."""
