"""Tests of handstamp.testing, a module each."""
