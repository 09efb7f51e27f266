"""YAML files, also a stranger's: a few bytes of them can't take gigabytes of memory, or hours.

They hold words, numbers, lists, and keys with values; no dates, no objects. A date is a word.
"""

import contextlib
import re

import yaml

from .errors import InputError, shown
from .files import read_text

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's fast one, where PyYAML has it
DEEPEST = 20  # levels of nesting
MOST = 100_000  # values of a file, those that aliases stand for counted each time
LONGEST = 1000  # characters of a number: Python turns 4300 digits into text, and no more
_DIRECTIVES = 10  # libyaml compares each with all others
_TAG = "tag:yaml.org,2002:"
_NUMBERS = {
    f"{_TAG}int": ("a whole number", LOADER.construct_yaml_int),
    f"{_TAG}float": ("a number", LOADER.construct_yaml_float),
    f"{_TAG}bool": ("true or false", LOADER.construct_yaml_bool),
}
_WORDS = {f"{_TAG}{kind}" for kind in ("str", "timestamp", "value", "merge")}


def read_yaml(path, aliases=True, pipe=False):
    """What a YAML file holds: dictionaries, lists, words and numbers.

    Without `aliases` no part may stand for another; `pipe` as in `files.open_file`. Raises
    InputError naming the file, and the place in it, where it can't be read or is no such YAML.
    """
    text = read_text(path, pipe=pipe)
    try:
        return parse_yaml(text, aliases)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_yaml(text, aliases=True):
    """What a text in YAML holds, see `read_yaml`.

    Raises InputError, with line and column, where it is no YAML, nests more than `DEEPEST` levels,
    has more than `MOST` values, a number of more than `LONGEST` characters, a key twice, a tag of
    something else than words and numbers, or a forbidden alias.
    """
    if len(re.findall("^%", text, re.MULTILINE)) > _DIRECTIVES:
        raise InputError(f"not YAML: more than {_DIRECTIVES} lines begin with %")
    try:
        _check_events(text, aliases)
        loader = LOADER(text)
        node = loader.get_single_node()
        return None if node is None else _Values(loader).of(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        if mark and "nesting depth" in str(error):  # libyaml's own limit: ours is before it
            with contextlib.suppress(yaml.YAMLError):
                _check_events(text[: mark.index], aliases)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise _refusal(f"not YAML: {' '.join(str(problem).split())}", mark) from None


def _check_events(text, aliases):
    """Raise InputError before anything is built: what composes nodes can't bear deep nesting."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _refusal(f"more than {DEEPEST} levels within each other", event.start_mark)
        if count > 2 * MOST:  # lists and keys have an event at their end too
            raise _refusal(f"more than {MOST} values", event.start_mark)
        if not aliases and isinstance(event, yaml.AliasEvent):
            raise _refusal("an alias, none may be here: write the value again", event.start_mark)


class _Values:
    """Makes values of nodes, and counts them: each alias's value is made anew."""

    def __init__(self, loader):
        self._loader, self._count = loader, 0

    def of(self, node, depth=0):
        """The value of a node. Raises InputError."""
        self._count += 1
        if self._count > MOST:
            raise _refusal(f"aliases stand for more than {MOST} values", node.start_mark)
        if depth > DEEPEST:  # an alias of what it stands in
            raise _refusal(f"more than {DEEPEST} levels within each other", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        kind = node.tag[len(_TAG) :]
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.of(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, depth)
        raise _unknown_tag(node)

    def _scalar(self, node):
        if node.tag in _WORDS:
            return node.value
        if node.tag == f"{_TAG}null":
            return None
        if node.tag not in _NUMBERS:
            raise _unknown_tag(node)
        if len(node.value) > LONGEST:
            raise _refusal(
                f"a number of {len(node.value)} characters, at most {LONGEST}", node.start_mark
            )
        kind, construct = _NUMBERS[node.tag]
        try:
            return construct(self._loader, node)
        except (ValueError, LookupError, OverflowError):
            raise _refusal(f"{shown(node.value)} is not {kind}", node.start_mark) from None

    def _mapping(self, node, depth):
        own, merged = {}, []
        for key_node, value_node in node.value:
            value = self.of(value_node, depth + 1)
            if key_node.tag == f"{_TAG}merge":
                merged += reversed(value) if isinstance(value, list) else [value]
                if not all(isinstance(part, dict) for part in merged):
                    raise _refusal("<< takes keys with values", value_node.start_mark)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal("a key is a word or a number", key_node.start_mark)
            key = self.of(key_node, depth + 1)
            if key in own:
                raise _refusal(f"key {shown(key)} is there twice", key_node.start_mark)
            own[key] = value
        return {**{k: v for part in merged for k, v in part.items()}, **own}


def _unknown_tag(node):
    return _refusal(
        f"tag {shown(node.tag)}, only words, numbers, lists and keys may be here", node.start_mark
    )


def _refusal(reason, mark):
    """The InputError of a reason, and where the text is at fault."""
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return InputError(f"{reason}{place}")
