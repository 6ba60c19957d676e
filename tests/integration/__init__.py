"""Tests that need the whole middleware over several requests."""
