"""How inputs are damaged: bytes, lines of YAML, trees of JSON."""

import copy
import json

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

# What stands in the place of a value.
_COMMON = ("0", "-1", "1", "2", "0.5", "-0.0", "1" + 30 * "0", "1e300", "1e-300", "true", "null")
_COMMON += ("[]", "{}", '""', '"x"', '"../x"', '"a\\nb"', '"' + 3000 * "a" + '"', "[1, 2]", "[[]]")
_COMMON += ('["a", "b"]', '{"a": 1}', '"\\u0000"', '"\\u001b[2J"', "7" * 5001, 3000 * "[", "64")
_COMMON += ("[64, 64]", "[0, 0]", "[-1, 5]", "[1000000000, 1]", '"nan"', "255", "65536", "2048")
YAML_VALUES = (*_COMMON, ".inf", "-.inf", ".nan", "~", "", "yes", "0x1F", "0o17", "1_0", "1:2:3")
YAML_VALUES += ("2001-12-14", "2001-99-99", "!!int x", "!!float", "!!float [1]", "!!binary x", "!y")
YAML_VALUES += ("!!python/object/apply:os.getcwd []", "&a [*a]", "*a", "&a {<<: *a}", "<<", "? x")
YAML_VALUES += ("!!set {a, b}", "!!omap [a: 1]", "!!timestamp x", "!!str 1", "!!null x", "!!map []")
YAML_VALUES += (
    "&a [x, x]",
    "|",
    ">",
    "- 1",
    "a: b",
    "[*a, *a, *a]",
    "{<<: [*a, *a]}",
    "\t",
    "%",
    "@",
)
YAML_VALUES += ("'\ud7ff'", "é", "\u2028", "\ufeff", "[[1]]", "{[1]: 2}", "{? [] : 1}", "1e-3")
JSON_VALUES = (
    *_COMMON,
    "NaN",
    "-Infinity",
    "1e400",
    '"\\ud800"',
    '"(3, 3)"',
    '"(0, 0)"',
    '"9999999"',
)


def lines_of(values):
    """A mutator of text that has a key or an item and its value a line, as YAML's blocks have."""

    def value(rng, lines, at, others):
        head, colon, _ = lines[at].partition(":")
        if colon:
            lines[at] = f"{head}: {rng.choice(values)}"
        elif lines[at].lstrip().startswith("- "):
            lines[at] = f"{lines[at].partition('-')[0]}- {rng.choice(values)}"
        else:
            lines[at] = rng.choice(values)

    def key(rng, lines, at, others):
        head, colon, rest = lines[at].partition(":")
        indent = head[: len(head) - len(head.lstrip())]
        name = rng.choice((rng.choice(values), head.strip()[:-1], head.strip() + "s", "<<"))
        lines[at] = f"{indent}{name}{colon}{rest}"

    def other_value(rng, lines, at, others):
        there = rng.choice(others).partition(":")[2]
        lines[at] = f"{lines[at].partition(':')[0]}:{there}"

    def whole_section(rng, lines, at, others):
        """Give what has lines of its own below it a value instead, or in addition."""
        indent = len(lines[at]) - len(lines[at].lstrip())
        end = at + 1
        while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > indent:
            end += 1
        value(rng, lines, at, others)
        del lines[at + 1 : end]

    def drop(rng, lines, at, others):
        del lines[at : at + rng.choice((1, 1, 1, 3))]

    def twice(rng, lines, at, others):
        lines.insert(rng.randrange(len(lines) + 1), lines[at])

    def foreign(rng, lines, at, others):
        lines.insert(at, rng.choice(others))

    def indent(rng, lines, at, others):
        lines[at] = rng.choice(("  ", "    ", "\t", "- ")) + lines[at]

    def dedent(rng, lines, at, others):
        lines[at] = lines[at][2:]

    def anchor(rng, lines, at, others):
        head, colon, rest = lines[at].partition(":")
        lines[at] = f"{head}{colon} &a{rest}"

    operations = (value,) * 6 + (key, other_value, whole_section, drop, twice, foreign, indent)
    operations += (dedent, anchor)

    def mutate(rng, seeds):
        if rng.random() < 0.15:
            return mutate_bytes(rng, seeds)
        lines = rng.choice(seeds).decode().split("\n")
        for _ in range(changes(rng)):
            if lines:
                others = rng.choice(seeds).decode().split("\n")
                rng.choice(operations)(rng, lines, rng.randrange(len(lines)), others)
        return "\n".join(lines).encode("utf-8")

    return mutate


mutate_yaml = lines_of(YAML_VALUES)


_RAW = "@RAW@"  # stands in a tree for a text that no tree has


def mutate_json(rng, seeds, operations=()):
    """A JSON text of `seeds` with parts changed, also by `operations`, each of (rng, tree)."""
    if rng.random() < 0.15:
        return mutate_bytes(rng, seeds)
    tree, raws = json.loads(rng.choice(seeds)), []
    for _ in range(changes(rng)):
        if operations and rng.random() < 0.6:
            rng.choice(operations)(rng, tree)
        else:
            _change_tree(rng, tree, raws)
    text = json.dumps(tree)
    for raw in raws:
        text = text.replace(f'"{_RAW}"', raw, 1)
    return text.encode()


def _change_tree(rng, tree, raws):
    """One change of a value somewhere in a tree."""
    at = tree
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.2:
            break
        at = at[key]
    kind = rng.randrange(6)
    if kind == 0:
        del at[key]
    elif kind == 1 and isinstance(at, dict):
        at[rng.choice((f"{key}s", "", "x", rng.choice(keys)))] = at.pop(key)
    elif kind == 1:
        at.insert(rng.randrange(len(at) + 1), copy.deepcopy(at[key]))
    elif kind == 2:
        at[key] = copy.deepcopy(at[rng.choice(keys)])
    else:
        raws.append(rng.choice(JSON_VALUES))
        at[key] = _RAW
