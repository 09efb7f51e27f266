"""What a configuration says otherwise than the one before it."""

import dataclasses

import pytest
import yaml

from train.config.changes import changes
from train.config.cityscapes import SceneConfig
from train.config.kinetics import VideoConfig
from train.config.load import load_config, to_dict
from train.config.sections import HARMLESS, Config

CONFIGS = (Config, SceneConfig, VideoConfig)


@pytest.fixture
def changed(tmp_path):
    """The changes that `--set` makes to a configuration that was written and read again."""

    def changed(*overrides, cls=Config, first=()):
        (tmp_path / "config.yaml").write_text("")
        before = yaml.safe_dump(to_dict(load_config(tmp_path / "config.yaml", first, cls)))
        after = load_config(tmp_path / "config.yaml", [*first, *overrides], cls)
        return changes(yaml.safe_load(before), after)

    return changed


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda cls: cls.__name__)
def test_a_configuration_that_is_read_back_has_no_changes(changed, cls):
    assert changed(cls=cls, first=["optim.lr_mult.conv=0.5", "optim.weight_decay=1.0e-5"]) == []


def test_a_change_says_its_key_and_both_values(changed):
    found = changed("optim.lr=0.2", "data.mean=[1, 2.5]", "seed=3", "model.name=tiny")
    assert list(map(str, found)) == [
        "model.name: resnet50_glore_2_3 -> tiny",
        "data.mean: [124.0, 117.0, 104.0] -> [1.0, 2.5]",
        "optim.lr: 0.1 -> 0.2",
        "seed: 0 -> 3",
    ]
    assert not any(change.harmless for change in found)
    (units,) = changed("model.units={kind: glore, res4: [1]}")
    assert str(units) == "model.units: {} -> {'kind': 'glore', 'res4': [1]}"


def test_what_a_run_computes_hangs_on_no_harmless_key_and_on_every_other(changed):
    (found,) = changed("log_every=7")
    assert found.harmless and str(found) == (
        "log_every: 20 -> 7 (of no effect on what is computed)"
    )
    for cls in CONFIGS:
        sections = [f for f in dataclasses.fields(cls) if dataclasses.is_dataclass(f.type)]
        keys = {f.name for f in dataclasses.fields(cls)} - {f.name for f in sections}
        keys |= {f"{s.name}.{f.name}" for s in sections for f in dataclasses.fields(s.type)}
        assert set(HARMLESS) <= keys
        assert {"optim.epochs", "optim.lr", "data.mean", "model.name", "seed"} <= keys
    assert not {"optim", "model", "augment", "loss", "clip"} & {k.split(".")[0] for k in HARMLESS}


def test_keys_of_another_version_count_by_their_defaults(changed):
    old = to_dict(Config())
    del old["optim"]["precise_norm"], old["horovod"]
    assert changes(old, Config()) == []
    old["optim"]["gone"], old["other"] = 3, {"a": 1}
    assert list(map(str, changes(old, Config()))) == [
        "optim.gone: 3 -> none",
        "other: {'a': 1} -> none",
    ]


def test_what_would_steer_a_terminal_is_spelled():
    old = {**to_dict(Config()), "\x1b[2J": "a\nb"}
    (found,) = changes(old, Config())
    assert str(found) == r"'\x1b[2J': 'a\nb' -> none"
