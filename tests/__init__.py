"""The tests of handstamp; README.rst says what is where."""
