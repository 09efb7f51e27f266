"""Thousands of damaged inputs for all that reads a stranger's bytes: `python -m tests.fuzz`.

A kind (`kind.py`) is a row: valid inputs, how they are damaged, what reads them. `worker.py` runs
cases in a process of its own; `hunt.py` watches that, and tells which case ended it. `kinds.py` is
the table of kinds.
"""
