"""Read a configuration: defaults, then a YAML file of differences, then `--set key=value`."""

import dataclasses
import difflib
import math
import os
import typing

from gluon_glore.utils.errors import InputError, shown
from gluon_glore.utils.yaml_file import parse_yaml, read_yaml

from .sections import Config


def load_config(path, overrides=(), cls=Config):
    """Read a YAML file and apply `key.key=value` overrides; returns a `cls`, checked.

    Raises InputError on a missing or malformed file, an unknown key (naming the closest), a wrong
    type, or a value that is out of range.
    """
    try:
        tree = read_yaml(path, pipe=True)
    except InputError as error:
        raise InputError(f"config {error}") from None
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise InputError(f"config {path}: expected keys and values, given {type(tree).__name__}")
    for override in overrides:
        _override(tree, override)
    config = _change(cls(), tree, "")
    for part in (*vars(config).values(), config):
        if hasattr(part, "check"):
            part.check()
    return config


def to_dict(config):
    """The configuration as plain dictionaries and lists, as YAML and JSON take them."""
    return {
        key: to_dict(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in (
            config if isinstance(config, dict) else dataclasses.asdict(config)
        ).items()
    }


def _override(tree, override):
    """Set one `key.key=value` in a tree of dictionaries."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set expects key.key=value, given {shown(override)}")
    *sections, leaf = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {key}: {section} is a value, not a section")
    try:
        tree[leaf] = parse_yaml(text)
    except InputError as error:
        raise InputError(f"--set {key}: not a YAML value: {error}") from None


def _change(section, tree, prefix):
    """A section, or the whole, in which the tree's values replace its own. Raises InputError."""
    if not isinstance(tree, dict):
        raise InputError(f"config key {prefix[:-1]} is a section, given {shown(tree)}")
    types = typing.get_type_hints(type(section))
    values = {}
    for key, value in tree.items():
        if key not in types:
            close = difflib.get_close_matches(str(key), types, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(types)}"
            name = key if str(key).isprintable() and len(str(key)) < 60 else shown(key)
            raise InputError(f"unknown config key {prefix}{name}, {hint}")
        if dataclasses.is_dataclass(types[key]):
            values[key] = _change(getattr(section, key), value, f"{prefix}{key}.")
        else:
            values[key] = _convert(types[key], value, f"{prefix}{key}")
    return dataclasses.replace(section, **values)


def _convert(kind, value, key):
    """The value as an annotation `kind` wants it. Raises InputError naming the key."""
    if kind is object:  # checked where it is used
        return value
    if typing.get_origin(kind) is typing.Union:  # of a number and a list of them
        listed = isinstance(value, list)
        (kind,) = (k for k in typing.get_args(kind) if (typing.get_origin(k) is tuple) == listed)
    if typing.get_origin(kind) is tuple:
        return _convert_tuple(typing.get_args(kind), value, key)
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise InputError(f"config key {key} expects names and values, given {shown(value)}")
        of = typing.get_args(kind)[1]
        return {str(name): _convert(of, item, f"{key}.{name}") for name, item in value.items()}
    if kind is str and isinstance(value, str):
        return os.path.expanduser(value)  # only paths begin with "~"; no shell sees them here
    if kind is float and isinstance(value, str) and _is_finite(value):
        return float(value)  # YAML 1.1 reads a number without a dot, as 1e-3, as text
    # bool is an int to Python, and an int serves as a float: neither the other way round.
    accepted = (int, float) if kind is float else kind
    if isinstance(value, accepted) and (kind is bool or not isinstance(value, bool)):
        if kind is float and not _is_finite(value):
            raise InputError(f"config key {key} expects a finite number, given {value}")
        return kind(value)
    raise InputError(f"config key {key} expects {kind.__name__}, given {shown(value)}")


def _convert_tuple(kinds, value, key):
    """A YAML list as a tuple of `kinds`. Raises InputError naming the key."""
    any_length = kinds[-1] is Ellipsis
    if not isinstance(value, list) or (not any_length and len(value) != len(kinds)):
        count = "" if any_length else f"{len(kinds)} "
        raise InputError(
            f"config key {key} expects a list of {count}{kinds[0].__name__}, given {shown(value)}"
        )
    if any_length:
        kinds = (kinds[0],) * len(value)
    return tuple(_convert(k, v, f"{key}[{i}]") for i, (k, v) in enumerate(zip(kinds, value)))


def _is_finite(value):
    """Whether Python reads a number, or a text, as a float that is not infinite or nan."""
    try:
        return math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False
