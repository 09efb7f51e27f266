"""How texts are damaged: lines of YAML, trees of JSON."""

import copy
import json

from .mutate import changes, mutate_bytes

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
