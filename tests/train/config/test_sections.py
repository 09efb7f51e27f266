import pytest

from gluon_glore import InputError
from train.config.cityscapes import SceneConfig
from train.config.load import load_config, to_dict

VAL = "config key data.val_share is above 0 where data.val is"


def load(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    return load_config(tmp_path / "config.yaml")


def test_a_set_of_pictures_is_one_path_or_several(tmp_path):
    config = load(tmp_path, "data: {train: [a.rec, b.rec], val: photos, root: x}")
    data = config.data
    assert (data.train, data.val, data.root) == (("a.rec", "b.rec"), "photos", "x")
    assert to_dict(config)["data"]["train"] == ["a.rec", "b.rec"]
    own = load(tmp_path, "model: {classes: 0}\ndata: {train: photos, val: '', val_share: 0.1}")
    assert own.data.val == "" and own.model.classes == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {val_share: 0.1}", f"{VAL} .*given 0.1 and 'data/imagenet/val.rec'$"),
        ("data: {val: ''}", f"{VAL} .*given 0 and ''$"),
        ("data: {val: '', val_share: 1}", "data.val_share must be from 0 to below 1, given 1"),
        ("data: {val: '', val_share: -0.1}", "data.val_share must be from 0 to below 1"),
        ("data: {train: []}", "data.train names a folder, a list or .rec files"),
        ("data: {train: [a, 1]}", r"data.train\[1\] expects str, given 1"),
        ("data: {train: 1}", "data.train expects str, given 1"),
        ("model: {classes: -1}", "model.classes must not be below 0, given -1"),
    ],
)
def test_what_names_no_pictures_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{drop_path: 1}", "model.drop_path must be from 0 to below 1, given 1"),
        ("{drop_path: -0.1}", "model.drop_path must be from 0 to below 1, given -0.1"),
        (
            "{zero_init_residual: true, pretrained: zoo}",
            "model.zero_init_residual is for random weights, given model.pretrained 'zoo'$",
        ),
    ],
)
def test_what_makes_no_sense_of_residual_units_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, f"model: {text}")


@pytest.mark.parametrize("key", ["drop_path: 0.1", "zero_init_residual: true"])
def test_networks_of_pixels_have_no_keys_of_residual_units(tmp_path, key):
    (tmp_path / "config.yaml").write_text(f"model: {{{key}}}")
    with pytest.raises(InputError, match=f"unknown config key model.{key.split(':')[0]}"):
        load_config(tmp_path / "config.yaml", cls=SceneConfig)
