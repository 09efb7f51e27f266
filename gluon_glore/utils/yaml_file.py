"""YAML files, also a stranger's: a few bytes of them can't take gigabytes of memory, or hours."""

from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's fast one, where PyYAML has it
DEEPEST = 20  # levels of nesting


def read_yaml(path, aliases=True):
    """What a YAML file holds: dictionaries, lists, words and numbers.

    Without `aliases` no part may stand for another: aliases of aliases multiply what they stand
    for. Raises OSError and UnicodeDecodeError where the file can't be read, yaml.YAMLError where it
    is no YAML, ValueError where it nests more than `DEEPEST` levels or has a forbidden alias.
    """
    text = Path(path).read_text(encoding="utf-8")
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or not aliases and isinstance(event, yaml.AliasEvent):
            raise ValueError(path)
    return yaml.load(text, Loader=LOADER)
