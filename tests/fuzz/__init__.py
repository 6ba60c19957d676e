"""Random input, guided by coverage, for everything that reads what others wrote.

Run ``python -m tests.fuzz`` from the top of the repository, with atheris installed; ``--help`` names the options. The
targets are plain functions of bytes: the normal tests call each of them with its seeds, without atheris.
"""
