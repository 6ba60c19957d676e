"""Adapters: they put the session in the places where other libraries expect it."""
