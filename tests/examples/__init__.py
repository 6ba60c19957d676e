"""Tests of the programs and recipes in examples/."""
