"""Attacks: what the whole promises against somebody who means harm."""
