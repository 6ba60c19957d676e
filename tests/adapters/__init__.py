"""Tests of the adapters, a module each."""
