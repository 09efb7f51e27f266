"""Record files some of whose records are damaged, and what keeps count of them."""

import struct

import numpy as np

from gluon_glore.data.records import write_records
from train.data.bad_records import BadRecords
from train.digit_pairs import encode_png
from train.engine.comm import LocalComm

SAMPLES = 300


BAD = (7, 150, 299)  # 1 %: cut short, no picture, of no bytes


TRAINED, TESTED = 288, 297  # samples of nine whole batches of 32; those that are good


def count_bad(dataset, max_share=0.0, log=None):
    """The `BadRecords` of a data set on one process; the first ends the run by default."""
    return BadRecords(dataset, LocalComm(), max_share, log)


def write_damaged(path, bad=BAD):
    """Canvases of one grey value each, labels 0 and 1 in turn; records `bad` damaged in turn."""
    samples = [[encode_png(np.full((64, 64), i % 256, np.uint8)), i % 2] for i in range(SAMPLES)]
    for kind, i in enumerate(bad):
        if kind % 3 == 0:
            samples[i][0] = samples[i][0][:-30]
        elif kind % 3 == 1:
            samples[i][0] = b"\xff\xd8 garbage"
        else:
            samples[i][0] = b""
    write_records(path, samples)
    return path


def break_heads(path, *numbers):
    """Overwrite the magic numbers that some records of a file begin with."""
    lines = path.with_suffix(".idx").read_text().splitlines()
    offsets = dict(map(int, line.split()) for line in lines)
    with open(path, "r+b") as file:
        for number in numbers:
            file.seek(offsets[number])
            file.write(struct.pack("<I", 0xDEAD))
