"""How bytes are damaged, and one file of a folder."""

import hashlib

_WIDTHS = (1, 2, 4, 8)
_INTEGERS = (0, 1, 2, 3, 7, 16, 100, 127, 128, 255, 256, 4096, 65535, 2**16, 2**20, 10**6, 2**24)
_INTEGERS += (2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63 - 1, 2**64 - 1)
_LONGEST = 64  # bytes that one change inserts, removes or copies


def changes(rng):
    """How many changes a case has: mostly one."""
    return rng.choice((1, 1, 1, 1, 2, 3, 6))


def mutate_bytes(rng, seeds):
    """A seed, bytes, with some of them changed."""
    data = bytearray(rng.choice(seeds))
    for _ in range(changes(rng)):
        rng.choice(_OPERATIONS)(rng, data, seeds)
    return bytes(data)


def repaired(mutate, repair, share=0.5):
    """A mutator whose results are made to fit their own checksums by `repair(data)`, as often."""

    def mutate_and_repair(rng, seeds):
        data = mutate(rng, seeds)
        return repair(data) if rng.random() < share else data

    return mutate_and_repair


def one_file(mutators, refit=None):
    """A mutator of a folder of files: one of them, by its own `mutators[name](rng, contents)`.

    `refit(files, before)` returns them with new checksums in what lists them, in most cases.
    """

    def mutate(rng, seeds):
        before = rng.choice(seeds)
        files = dict(before)
        name = rng.choice(sorted(mutators))
        files[name] = mutators[name](rng, [seed[name] for seed in seeds])
        return refit(files, before) if refit and rng.random() < 0.8 else files

    return mutate


def checksums_in(listing, names):
    """A `refit` for `one_file`: the SHA-256 of `names`, as the file `listing` has them in hex."""

    def refit(files, before):
        text = files[listing]
        for name in names:
            old, new = (hashlib.sha256(some[name]).hexdigest() for some in (before, files))
            text = text.replace(old.encode(), new.encode())
        return {**files, listing: text}

    return refit


def _place(rng, data):
    """A place in it, every other time near its beginning, where headers are."""
    where = rng.random() ** rng.choice((1, 3))
    return int(where * len(data))


def _flip(rng, data, seeds):
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set(rng, data, seeds):
    if data:
        data[_place(rng, data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(rng, data, seeds):
    width = rng.choice(_WIDTHS)
    at, value = _place(rng, data), rng.choice(_INTEGERS) & (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _shift(rng, data, seeds):
    """Add a little to a number."""
    width, order = rng.choice(_WIDTHS), rng.choice(("little", "big"))
    at = _place(rng, data)
    value = int.from_bytes(data[at : at + width], order) + rng.choice((-2, -1, 1, 2, 16))
    data[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, order)


def _cut(rng, data, seeds):
    del data[_place(rng, data) :]


def _remove(rng, data, seeds):
    at = _place(rng, data)
    del data[at : at + rng.randrange(1, _LONGEST)]


def _insert(rng, data, seeds):
    at, length = _place(rng, data), rng.randrange(1, _LONGEST)
    data[at:at] = bytes([rng.choice((0, 0xFF, 0x20, rng.randrange(256)))]) * length


def _random(rng, data, seeds):
    at = _place(rng, data)
    length = rng.randrange(1, _LONGEST)
    data[at : at + length] = rng.getrandbits(8 * length).to_bytes(length, "little")


def _copy(rng, data, seeds):
    """Copy a block to another place, over what is there or between."""
    start, at, length = _place(rng, data), _place(rng, data), rng.randrange(1, _LONGEST)
    data[at : at + length * rng.randrange(2)] = data[start : start + length]


def _repeat(rng, data, seeds):
    start, length = _place(rng, data), rng.randrange(1, _LONGEST)
    data[start:start] = data[start : start + length] * rng.choice((1, 2, 10, 100))


def _splice(rng, data, seeds):
    """Go on as another seed does."""
    other = rng.choice(seeds)
    if rng.random() < 0.5:
        at = _place(rng, data)
        data[at:] = other[at:]
    else:
        data[_place(rng, data) :] = other[_place(rng, other) :]


def _graft(rng, data, seeds):
    """Put a block of another seed at the same place."""
    at, length = _place(rng, data), rng.randrange(1, _LONGEST)
    data[at : at + length] = rng.choice(seeds)[at : at + length]


def _digits(rng, data, seeds):
    """Write digits where digits may be."""
    at = _place(rng, data)
    text = rng.choice((b"0", b"-1", b"9" * 20, b"1e999", b"nan", b"99999", b"007777777777"))
    data[at : at + len(text)] = text


_OPERATIONS = (
    _flip,
    _flip,
    _set,
    _set,
    _number,
    _number,
    _shift,
    _cut,
    _remove,
    _insert,
    _random,
    _copy,
    _repeat,
    _splice,
    _graft,
    _digits,
)
