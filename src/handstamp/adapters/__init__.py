"""Adapters: our session where the code of others looks for theirs."""
