"""YAML files that may be a stranger's: read fast, and no few bytes become gigabytes or hours."""

from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it
DEEPEST = 20  # levels of nesting


def read_yaml(path, aliases=True):
    """What a YAML file holds: dictionaries, lists, words and numbers.

    Without `aliases` no part may stand for another; they multiply what follows them. Raises
    OSError and UnicodeDecodeError where it can't be read, yaml.YAMLError where it is no YAML,
    ValueError where it nests deep or has aliases that are not allowed.
    """
    text = Path(path).read_text(encoding="utf-8")
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or not aliases and isinstance(event, yaml.AliasEvent):
            raise ValueError(path)
    return yaml.load(text, Loader=LOADER)
