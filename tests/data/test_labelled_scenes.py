import numpy as np
import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES, IGNORE
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_scenes import SceneSource, measure_scenes, scene_source, scenes_for
from tests.helpers.scenes import write_scenes

PIXELS = Preprocess((8, 8), 0, (0.0, 0.0, 0.0), 1.0)
CLASSES = len(CLASS_NAMES)


@pytest.fixture
def root(tmp_path):
    write_scenes(tmp_path, "val", {"bonn": 3})
    return tmp_path


def by_red(x):
    """Logits that say the class of a pixel's red."""
    red = x[:, :1].astype(int) % CLASSES
    return (np.arange(CLASSES).reshape(1, -1, 1, 1) == red).astype("float32")


def scenes(root):
    return scenes_for("m", CLASS_NAMES, scene_source(root))


def test_scores_are_those_of_all_pixels_of_whole_scenes(root):
    shapes = []

    def network(x):
        shapes.append(x.shape)
        return by_red(x)

    found = measure_scenes(network, scenes(root), PIXELS)
    assert shapes == [(1, 3, 30, 40)] * 3
    pairs = [scenes(root)[i] for i in range(3)]
    seen = np.concatenate([picture[..., 0].ravel() % CLASSES for picture, _ in pairs])
    label = np.concatenate([label.ravel() for _, label in pairs])
    seen, label = seen[label != IGNORE], label[label != IGNORE]
    iou = [
        ((seen == i) & (label == i)).sum() / ((seen == i) | (label == i)).sum()
        for i in range(CLASSES)
    ]
    assert found.miou == pytest.approx(np.mean(iou)) and found.miou > 0
    assert found.accuracy == (seen == label).mean()
    assert (found.samples, found.bad_records) == (3, 0) and found.images_per_second > 0


def test_scenes_that_can_not_be_read_or_seen_are_left_out_and_counted(root, capsys):
    scenes(root).labels[1].write_bytes(b"")
    found = measure_scenes(by_red, scenes(root), PIXELS, max_bad=0.5)
    assert (found.samples, found.bad_records) == (2, 1)
    assert str(scenes(root).labels[1]) in capsys.readouterr().err

    def fits(size):
        raise InputError(f"{size} is too small")

    with pytest.raises(InputError, match=r"0 of 3 scenes are bad, as .*png: \(30, 40\) is too sm"):
        measure_scenes(by_red, scenes(root), PIXELS, fits)


@pytest.mark.parametrize(
    "network, message",
    [
        (lambda x: by_red(x) * np.nan, r"logits are not finite, \(1, 19, 30, 40\) of finite"),
        (lambda x: by_red(x)[:, :4], r"logits are of shape \(1, 4, 30, 40\), \(1, 19, 30, 40\)"),
    ],
)
def test_logits_of_no_use_are_refused(root, network, message):
    with pytest.raises(InputError, match=message):
        measure_scenes(network, scenes(root), PIXELS)


def test_scenes_without_a_labelled_pixel_have_no_score(root):
    ours = scenes(root)

    class Unlabelled:
        classes, path, name = type("Names", (), {"names": CLASS_NAMES}), "p", ours.name

        def __len__(self):
            return 1

        def __getitem__(self, i):
            return ours.picture(i), np.full((30, 40), IGNORE, np.uint8)

    with pytest.raises(InputError, match="^p: no labelled pixel in it$"):
        measure_scenes(by_red, Unlabelled(), PIXELS)


def test_a_source_is_a_folder_or_what_a_configuration_states(tmp_path):
    assert scene_source(tmp_path) == SceneSource(str(tmp_path))
    assert scene_source(str(tmp_path)).title == f"{tmp_path.name}/val"
    keys = {"root": "r", "val": "list.txt", "pictures": "P", "labels": "L", "classes": "c.txt"}
    (tmp_path / "a.yaml").write_text(
        yaml.safe_dump({"model": {}, "data": {**keys, "ignore": [0, 255], "size": [8, 8]}})
    )
    stated = SceneSource("r", "list.txt", **dict(list(keys.items())[2:]), ignore=(0, 255))
    assert scene_source(tmp_path / "a.yaml") == stated == scene_source(stated)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[", "a.yaml: not YAML"),
        ("data: 5", "a.yaml states no set of scenes: data"),
        ("model: {}", "a.yaml states no set of scenes: .*data"),
        ("data: {root: [1]}", "a.yaml states no set of scenes: data.root"),
        ("data: {root: r, ignore: 5}", "a.yaml states no set of scenes: data.ignore"),
    ],
)
def test_a_file_that_states_no_set_is_one_line(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        scene_source(tmp_path / "a.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_other_classes_are_refused(root):
    with pytest.raises(InputError, match="^m: it tells 2 classes apart, the set 19$"):
        scenes_for("m", ("a", "b"), scene_source(root))
    names = ("street", *CLASS_NAMES[1:])
    with pytest.raises(InputError, match="^m: its class 0 is 'street', that of the set is 'road'$"):
        scenes_for("m", names, scene_source(root))
