"""What a configuration says otherwise than the one before it."""

import dataclasses

from .load import to_dict
from .sections import HARMLESS

NOTHING = "none"  # of a key that only one of the two has


@dataclasses.dataclass(frozen=True)
class Change:
    """A config key whose value was `before`, and is `after` now."""

    key: str
    before: object
    after: object

    @property
    def harmless(self):
        """Whether a run computes the same with either value."""
        return self.key in HARMLESS

    def __str__(self):
        note = " (of no effect on what is computed)" if self.harmless else ""
        return f"{self.key}: {_printed(self.before)} -> {_printed(self.after)}{note}"


def changes(before, config):
    """The changes from a configuration read back as nested dictionaries, a list of `Change`.

    A key that it does not have, as where an older version wrote it, had its default.
    """
    was, now = {**_leaves(type(config)()), **_flat(before, config)}, _leaves(config)
    return [
        Change(key, was.get(key, NOTHING), now.get(key, NOTHING))
        for key in dict.fromkeys((*now, *was))
        if was.get(key, NOTHING) != now.get(key, NOTHING)
    ]


def _leaves(config):
    """{config key: value}, sections taken apart, of a configuration."""
    return _flat(to_dict(config), config)


def _flat(tree, config, prefix=""):
    """{config key: value} of nested dictionaries; sections are what is one in `config`."""
    flat = {}
    for key, value in tree.items():
        section = getattr(config, str(key), None)
        if dataclasses.is_dataclass(section) and isinstance(value, dict):
            flat.update(_flat(value, section, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{_printed(key)}"] = value
    return flat


def _printed(value):
    """A value of a file, in words: what would steer a terminal is spelled."""
    text = str(value)
    return text if text.isprintable() else ascii(text)
