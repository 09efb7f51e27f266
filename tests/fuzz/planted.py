"""Faults on purpose: what `test_hunt.py` shows the hunter to find, each at its number."""

import os
import signal
import time

from gluon_glore.utils.errors import InputError

from .kind import MIB, Kind


def fault(data, folder):
    """Does what its data names and no reader may."""
    if data == b"exception":
        raise KeyError("planted")
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"sleep":
        time.sleep(60)
    while data == b"compute":
        pass
    if data == b"memory":
        bytearray(300 * MIB)
    if data == b"too much":
        bytearray(8000 * MIB)
    if data == b"lines":
        raise InputError("two\nlines")
    if data == b"refused":
        raise InputError("refused")
    if data == b"kept":
        _kept.append(bytearray(MIB))


_kept = []
NAMES = (b"exception", b"crash", b"sleep", b"compute", b"memory", b"too much", b"lines")
HARMLESS = (b"accepted", b"refused")


def mostly_harmless(rng, seeds):
    """A fault in one case of four."""
    return rng.choice(HARMLESS if rng.random() < 0.75 else NAMES)


ROWS = {
    "planted": Kind(lambda: HARMLESS, mostly_harmless, fault, seconds=1, wall=1.5),
    "planted-kept": Kind(lambda: HARMLESS, lambda rng, seeds: b"kept", fault, kept=20 * MIB),
}
