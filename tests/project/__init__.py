"""Tests of the repository itself: its rules, its manual, its tools and its types."""
