"""Tests of the stores, a module each."""
