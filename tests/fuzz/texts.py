"""Texts: manifests, configurations, catalogues, files of class names."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import yaml

from gluon_glore import InputError, get_spec
from gluon_glore.data.class_names import check_names_beside, read_names
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_scenes import scene_source
from gluon_glore.data.scene_classes import MOST, read_classes
from gluon_glore.export.files import Files, read_files
from gluon_glore.model_zoo.catalogue import read_catalogue
from gluon_glore.weights.card import Card
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import (
    MANIFEST,
    WEIGHTS,
    Manifest,
    clip_of,
    labels_pixels,
    params_of,
    read_manifest,
    spec_of,
    write_manifest,
)
from train.config.changes import changes
from train.config.cityscapes import SceneConfig
from train.config.kinetics import VideoConfig
from train.config.load import load_config, to_dict
from train.config.sections import Config

from .kind import Kind
from .mutate import mutate_bytes
from .mutate_text import mutate_yaml

FILES = {WEIGHTS: b"w", "momentum.params": b"m", "x-0000.params": b"x"}
FILES |= {"x-symbol.json": b"s"}
MIRROR = "https://example.org/zoo"
PREPROCESS = Preprocess((8, 8), 8, (22.0,), 0.0167)


def manifests():
    """Manifests of a checkpoint, an exported folder, a zoo entry, a network of videos."""
    spec = get_spec("tiny_glore_0_1")
    deployment = Deployment((None, 1, 8, 8), float32={"onnx": ("conv2_B01",)})
    names = ("no", "yes")
    card = Card("a file", "0" * 64, checked=("golden",), measured={"top1": 0.5, "samples": 2})
    card.measured["data"] = "digits"
    order = {"pictures": 5, "batch_size": 2, "seed": 1}
    made = [
        (
            Manifest("x", names, PREPROCESS, 3, {}, 4, order, 0.5),
            ("weights.params", "momentum.params"),
        ),
        (
            Manifest("x", names, PREPROCESS, deployment=deployment),
            ("x-0000.params", "x-symbol.json"),
        ),
        (Manifest("x", names, PREPROCESS, spec=spec, card=card), ("x-0000.params",)),
        (Manifest("tiny", names, Preprocess((8, 8)), clip=Clip(2, 2)), ("weights.params",)),
        (
            Manifest("x", names, PREPROCESS, task="segment", deployment=deployment),
            ("x-0000.params", "x-symbol.json"),
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        write(folder, FILES)
        for manifest, files in made:
            write_manifest(folder, manifest, files)
            yield (Path(folder) / MANIFEST).read_bytes()


def write(folder, files):
    """Write a folder's files."""
    for name, content in files.items():
        (Path(folder) / name).write_bytes(content)


def read_folder(data, folder):
    """Read a manifest and its folder, and use what it says as commands do."""
    folder = Path(folder)
    if not (folder / WEIGHTS).exists():
        write(folder, FILES)
    write(folder, {MANIFEST: data})
    manifest = read_manifest(folder)
    if not manifest.deployment:
        assert params_of(folder, manifest).parent == folder
    clip, labels = clip_of(manifest), labels_pixels(manifest)
    assert clip is None or clip.frames >= 1
    assert labels in (True, False) and "," not in ", ".join(manifest.class_names).replace(", ", "")
    spec = spec_of(manifest)
    for unit in itertools.islice(spec.plan() if spec else (), 100):
        assert unit.name
    if manifest.deployment:
        files = read_files(folder)
        assert isinstance(files, Files) and files.symbol.parent == files.onnx.parent == folder
        assert all(n >= 1 for n in files.sample_shape)
    picture = np.zeros((8, 8, manifest.preprocess.channels), np.uint8)
    assert np.isfinite(manifest.preprocess(picture)).all()


def configs():
    """Configurations of every task, each with some keys of all sections."""
    return [
        b"model:\n  name: tiny\n  classes: 2\n  units:\n    kind: glore\n    res3: [1]\n"
        b"data:\n  train: a.rec\n  size: [64, 64]\n  resize: 0\n  mean: [22]\n  scale: 0.0167\n",
        b"augment:\n  area: [0.5, 1]\n  mirror: false\n  hls: [0, 0, 0]\nseed: 3\nlog_every: 5\n",
        b"optim:\n  epochs: 12\n  batch_size: 64\n  lr: 0.1\n  schedule: cosine\n  warmup: 1\n"
        b"  lr_mult:\n    fc: 2.0\n  steps: [1, 2]\n  precision: float32\n  accumulate: 2\n",
        b"horovod:\n  compression: fp16\n  cycle_ms: 1.0\ncheckpoint:\n  keep: 3\n  every: 10\n",
        b"optim:\n  momentum: &a 0.5\n  lr: *a\n  <<: {epochs: 3}\nseed: 3\n",
        b"model:\n  name: fcn_small_cityscapes\n  sync_norm: true\nloss:\n  auxiliary: 0.5\n",
    ]


def read_config(data, folder):
    """Read a configuration as each task does; refused where none of them takes it."""
    path = Path(folder) / "config.yaml"
    path.write_bytes(data)
    refused = None
    for cls in (Config, SceneConfig, VideoConfig):
        try:
            config = load_config(path, cls=cls)
            changes(to_dict(config), config)
            return
        except InputError as error:
            refused = error
    raise refused


def catalogues():
    row = {"origin": "testers", "licence": "MIT", "claimed": "top-1 {} %", "checked": "no"}
    row |= {"input": {"size": [64, 64], "resize": 0, "mean": [22.0], "scale": 0.0167}}
    row |= {"files": {"tiny": {"path": "files/tiny.tar", "figure": 91.5, "sha256": "ab" * 32}}}
    other = {
        **row,
        "base": "https://example.org",
        "files": {"b": {"path": "b"}, "c": {"path": "c"}},
    }
    texts = (yaml.safe_dump({"releases": rows}, sort_keys=False) for rows in ([row], [row, other]))
    return [text.encode() for text in texts]


def read_releases(data, folder):
    """Read a mirror's catalogue: all that it lists lies on the mirror."""
    path = Path(folder) / "catalogue.yaml"
    path.write_bytes(data)
    for row in read_catalogue(path, base=MIRROR, mirror=MIRROR):
        assert row.url.startswith(f"{MIRROR}/") and ".." not in row.url.split("/")
        assert row.packaged is None and isinstance(row.claimed, str)
        assert row.is_entry or row.url.endswith((".tar", ".gz", ".tgz", ".bz2", ".xz", ".pth"))


def name_files():
    return [
        b"no\nyes\n",
        b"\xef\xbb\xbfcat\r\ndog\r\n\r\n",
        "n01440764 tench\nn01443537 né\n".encode(),
    ]


def read_class_names(data, folder):
    """Read a file of class names, alone and beside records."""
    path = Path(folder) / "a.classes.txt"
    path.write_bytes(data)
    names = read_names(path)
    assert all(len(name.splitlines()) <= 1 for name in names)
    check_names_beside(path.with_name("a.rec"), ["no", "yes"], "a list")


def class_files():
    return [
        b"# of a set\nbackground\ncat\n",
        b"\xef\xbb\xbf7\troad\r\n300\tsky\r\n\r\n",
        "64 128 64\t\tAnimal\n0 0 0\tVoid\n9 9 9\tné\n".encode(),
    ]


def read_scene_classes(data, folder):
    """Read the classes of a set of scenes."""
    path = Path(folder) / "classes.txt"
    path.write_bytes(data)
    classes = read_classes(path, (0,))
    assert 0 < len(classes.names) == len(classes.ids) == len(set(classes.ids)) <= MOST
    assert all(name and len(name.splitlines()) == 1 for name in classes.names)
    assert 0 < min(classes.ids) <= max(classes.ids) < (2**24 if classes.colours else 2**16)


def scene_sets():
    """Sections that state sets of scenes."""
    return [
        b"data:\n  root: r\n  pictures: P/{split}\n  labels: L/{split}\n  train: a\n  val: b\n"
        b"  classes: c.txt\n  ignore: [0, 255]\n  size: [8, 8]\n",
        b"model:\n  name: x\ndata:\n  root: r\n  val: &a v\n  classes: *a\n",
    ]


def read_scene_set(data, folder):
    """Read which scenes a network of pixels is measured on."""
    path = Path(folder) / "set.yaml"
    path.write_bytes(data)
    source = scene_source(path)
    texts = (source.root, source.val, source.pictures, source.labels, source.classes)
    assert all(isinstance(text, str) and len(text.splitlines()) <= 1 for text in texts)
    assert all(0 <= number < 2**24 for number in source.ignore)


ROWS = {
    "manifest": Kind(lambda: list(manifests()), mutate_yaml, read_folder),
    "config": Kind(configs, mutate_yaml, read_config),
    "catalogue": Kind(catalogues, mutate_yaml, read_releases),
    "class-names": Kind(name_files, mutate_bytes, read_class_names),
    "scene-set": Kind(scene_sets, mutate_yaml, read_scene_set),
    "scene-classes": Kind(class_files, mutate_bytes, read_scene_classes),
}
