"""A run's configuration: defaults in frozen dataclasses, YAML and `--set` state the differences."""

import dataclasses
import difflib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Tuple

import yaml

from gluon_glore.errors import InputError


@dataclass(frozen=True)
class Model:
    """`name`: a registered network. `freeze_norm`: BatchNorm keeps its running statistics."""

    name: str = "resnet50_glore_2_3"
    classes: int = 1000
    freeze_norm: bool = False


@dataclass(frozen=True)
class Data:
    """Indexed RecordIO files; pixels; decoding threads a process.

    `class_names`: text file, one name a line in label order; "" names the classes by number.
    `size`: height and width the network sees. `resize`: evaluation's short side before the centre
    crop, 0 takes pictures as they are. Then (pixel - mean) * scale (paper's recipe: DPN work).
    """

    train: str = "data/imagenet/train.rec"
    val: str = "data/imagenet/val.rec"
    class_names: str = ""
    size: Tuple[int, int] = (224, 224)
    resize: int = 256
    mean: Tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: float = 0.0167
    threads: int = 2


@dataclass(frozen=True)
class Augment:
    """Training pictures: crop of an area share and aspect ratio, mirror, colour (DPN work).

    `area` and `aspect` are drawn between the two numbers; area (1, 1) takes the whole picture.
    `hls`: largest shift of hue (degrees), lightness and saturation (of 255).
    """

    area: Tuple[float, float] = (0.08, 1.0)
    aspect: Tuple[float, float] = (0.75, 1.3333)
    mirror: bool = True
    hls: Tuple[int, int, int] = (20, 40, 50)


@dataclass(frozen=True)
class Optim:
    """SGD with momentum. `batch_size`: pictures a step over all processes together.

    `schedule` "step" multiplies `lr` by `factor` at each of the epochs `steps`; "cosine" falls to
    zero over the run. The first `warmup` epochs rise linearly.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0002
    schedule: str = "step"
    steps: Tuple[int, ...] = (30, 60, 90)
    factor: float = 0.1
    warmup: float = 0.0


@dataclass(frozen=True)
class Config:
    """Everything a run depends on. `log_every` is in steps.

    `tensorboard`: the rows of metrics.jsonl also as scalars for TensorBoard (needs tensorboardX).
    """

    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    optim: Optim = field(default_factory=Optim)
    seed: int = 0
    log_every: int = 20
    tensorboard: bool = False


def load_config(path, overrides=()) -> Config:
    """Read a YAML file and apply `key.key=value` overrides.

    Raises InputError on a missing or malformed file, an unknown key (naming the closest), a wrong
    type, or a value that is out of range.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"config {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"config {path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"config {path}: not YAML: {reason}") from None
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise InputError(f"config {path}: expected keys and values, given {type(tree).__name__}")
    for override in overrides:
        _override(tree, override)
    config = _build(Config, tree, "")
    _check(config)
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
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set expects key.key=value, given {override!r}")
    *sections, leaf = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {key}: {section} is a value, not a section")
    try:
        tree[leaf] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {key}: not a YAML value: {text!r}") from None


def _build(cls, tree, prefix):
    if not isinstance(tree, dict):
        raise InputError(f"config key {prefix[:-1]} is a section, given {tree!r}")
    types = typing.get_type_hints(cls)
    values = {}
    for key, value in tree.items():
        if key not in types:
            close = difflib.get_close_matches(str(key), types, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(types)}"
            raise InputError(f"unknown config key {prefix}{key}, {hint}")
        values[key] = _convert(types[key], value, f"{prefix}{key}")
    return cls(**values)


def _convert(kind, value, key):
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, f"{key}.")
    if typing.get_origin(kind) is tuple:
        return _convert_tuple(typing.get_args(kind), value, key)
    # bool is an int to Python, and an int serves as a float: neither the other way round.
    accepted = (int, float) if kind is float else kind
    if isinstance(value, accepted) and (kind is bool or not isinstance(value, bool)):
        return kind(value)
    hint = ""
    if kind is float and isinstance(value, str) and _is_number(value):
        hint = f"; YAML reads a number without a dot as text, write {float(value):.1e}"
    raise InputError(f"config key {key} expects {kind.__name__}, given {value!r}{hint}")


def _convert_tuple(kinds, value, key):
    any_length = kinds[-1] is Ellipsis
    if not isinstance(value, list) or (not any_length and len(value) != len(kinds)):
        count = "" if any_length else f"{len(kinds)} "
        raise InputError(
            f"config key {key} expects a list of {count}{kinds[0].__name__}, given {value!r}"
        )
    if any_length:
        kinds = (kinds[0],) * len(value)
    return tuple(_convert(k, v, f"{key}[{i}]") for i, (k, v) in enumerate(zip(kinds, value)))


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check(config):
    positive = {
        "model.classes": config.model.classes,
        "data.size": min(config.data.size),
        "data.scale": config.data.scale,
        "data.threads": config.data.threads,
        "augment.area": config.augment.area[0],
        "augment.aspect": config.augment.aspect[0],
        "optim.epochs": config.optim.epochs,
        "optim.batch_size": config.optim.batch_size,
        "optim.lr": config.optim.lr,
        "log_every": config.log_every,
    }
    for key, value in positive.items():
        if value <= 0:
            raise InputError(f"config key {key} must be above 0, given {value}")
    for key, (low, high) in {
        "augment.area": config.augment.area,
        "augment.aspect": config.augment.aspect,
    }.items():
        if low > high:
            raise InputError(f"config key {key} must rise, given [{low}, {high}]")
    if config.augment.area[1] > 1:
        raise InputError(f"config key augment.area is a share of 1, given {config.augment.area[1]}")
    if config.optim.schedule not in ("step", "cosine"):
        raise InputError(
            f"config key optim.schedule must be step or cosine, given {config.optim.schedule!r}"
        )
