"""Files of parameters, golden numbers, records, and the folders of training runs."""

import functools
import json
import struct
import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np

from gluon_glore import get_model
from gluon_glore.data.image import Preprocess
from gluon_glore.data.records import BadRecord, RecordDataset, WrongLabel, write_records
from gluon_glore.utils.errors import InputError
from gluon_glore.weights import load_arrays, load_weights, save_arrays
from gluon_glore.weights.golden import GOLDEN, read_golden, write_golden, write_seeded_golden
from gluon_glore.weights.manifest import MANIFEST, WEIGHTS, Manifest, manifest_text
from gluon_glore.weights.network_file import read_arrays
from gluon_glore.weights.params_file import read_params
from gluon_glore.weights.run_folder import (
    checkpoints,
    data_section,
    validation_set,
    validation_source,
)
from gluon_glore.weights.safetensors_file import write_safetensors
from gluon_glore.weights.state_file import own_manifest
from train.config.load import to_dict
from train.config.sections import Config
from train.engine.checkpoint import MOMENTUM, TRAINING, restore_newest, save_checkpoint
from train.engine.comm import LocalComm
from train.engine.preflight import check_changes
from train.engine.weight_average import WeightAverage
from train.reporting.runs import CONFIG_FILE, METRICS_FILE, read_run, rewind_metrics, write_config

from .kind import Kind
from .mutate import checksums_in, mutate_bytes, one_file
from .mutate_text import lines_of, mutate_json, mutate_yaml

OF_PIXELS = Manifest("fcn_small_cityscapes", ("a",), Preprocess())
SMALL = Preprocess((8, 8), 8, (22.0,), 0.0167)


def contents(write, name):
    """The bytes of the file `name` that `write(path)` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def parameter_files():
    """Files as MXNet writes them today, and of the generations before."""
    arrays = {
        "arg:conv1__conv_weight": np.linspace(-1, 1, 12).astype("float32").reshape(3, 4),
        "aux:tail__bn_moving_mean": np.array([0.5, 2, -3], "float16"),
        "arg:count": np.array([[[7], [1 << 40]]], "int64"),
    }
    now = {name: mx.nd.array(array, dtype=array.dtype) for name, array in arrays.items()}
    tail = struct.pack("<iii4s", 1, 0, 0, b"\0\0\x80?") + struct.pack("<QQ", 1, 1) + b"a"
    start = struct.pack("<QQQ", 0x112, 0, 1)
    layer = {"weight": mx.nd.ones((2, 3)), "bias": mx.nd.ones(2)}
    return [
        contents(lambda path: save_arrays(path, layer), "a.params"),
        contents(lambda path: save_arrays(path, now), "a.params"),
        contents(lambda path: save_arrays(path, {"b": mx.nd.ones((2, 3))}), "a.params"),
        start + struct.pack("<II", 1, 1) + tail,
        start + struct.pack("<IIq", 0xF993FAC8, 1, 1) + tail,
        start + struct.pack("<Iii", 0xF993FACA, 0, 0) + tail,
    ]


def read_parameters(data, folder):
    """Read a file of parameters, and give its arrays to MXNet."""
    path = Path(folder) / "a.params"
    path.write_bytes(data)
    arrays = read_params(path)
    assert sum(array.nbytes for array in arrays.values()) < len(data)
    assert all(array.size and np.isfinite(array).all() for array in arrays.values())
    assert len(load_arrays(path)) <= len(arrays)
    assert len(load_arrays(path, tiny())) <= len(arrays)
    if arrays.keys() == {"weight", "bias"}:
        layer = mx.gluon.nn.Dense(2)  # how many numbers it takes, the file says
        load_weights(layer, path)
        layer(mx.nd.ones((1, arrays["weight"].shape[1]))).wait_to_read()


def safetensors_files():
    """Files of a layer, of 16 bits, and with a manifest in the metadata."""
    one = np.linspace(-1, 1, 12).astype("float32").reshape(3, 4)
    manifest = Manifest("tiny", ("a", "b"), SMALL)
    metadata = {"gluon_glore": manifest_text(manifest, {}, "a")}
    return [
        contents(lambda path: write_safetensors(path, {"conv1.conv.weight": one}), "a.safetensors"),
        contents(lambda path: write_safetensors(path, {"a": one.astype("float16")}), "a.s"),
        contents(lambda path: write_safetensors(path, {"a": one}, metadata), "a.safetensors"),
    ]


def read_safetensors_file(data, folder):
    """Read a file of safetensors, by names and for what it says of itself."""
    path = Path(folder) / "a.safetensors"
    path.write_bytes(data)
    own_manifest(path)
    arrays = read_arrays(path)
    assert sum(array.nbytes for array in arrays.values()) <= 2 * len(data)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert len(load_arrays(path, tiny())) <= len(arrays)


@functools.cache
def tiny():
    """A network by whose names a file is read."""
    return get_model("tiny")


def golden_files():
    x = np.ones((2, 1, 3, 3), "float32")

    def seeded(path):
        write_seeded_golden(path.parent, (2, 1, 3, 3), x)

    return [
        contents(lambda path: write_golden(path.parent, x, x[:, 0, 0]), GOLDEN),
        contents(seeded, GOLDEN),
    ]


def read_golden_numbers(data, folder):
    """Read golden numbers."""
    (Path(folder) / GOLDEN).write_bytes(data)
    for array in read_golden(Path(folder)):
        assert isinstance(array, np.ndarray)


RECORDS, INDEX = "a.rec", "a.idx"


def record_files():
    """Records, one of them in several parts, and their index; the second without index."""
    mark = struct.pack("<I", 0xCED7230A)
    samples = [(b"picture", 0), (b"four" + mark + b"tail", 1), (b"", 1), (bytes(40), 0)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RECORDS
        write_records(path, samples)
        index = path.with_suffix(".idx").read_bytes()
        return [
            {RECORDS: path.read_bytes(), INDEX: index},
            {RECORDS: path.read_bytes(), INDEX: b""},
        ]


def read_records(files, folder):
    """Read every record of a file by its index; a bad one is refused alone."""
    path, index = Path(folder) / RECORDS, Path(folder) / INDEX
    path.write_bytes(files[RECORDS])
    index.unlink(missing_ok=True)
    if files[INDEX]:
        index.write_bytes(files[INDEX])
    records, refused = RecordDataset(path, 2), None
    for i in range(len(records)):
        try:
            picture, label = records[i]
            assert label in (0, 1) and len(picture) <= len(files[RECORDS])
        except (BadRecord, WrongLabel) as error:
            refused = error
    if refused:
        raise refused


# Some keys of a run's config.yaml, with their defaults: an older version had no more.
CONFIG = {key: to_dict(Config())[key] for key in ("model", "data")}
FOLDER = "epoch-0003-step-000002"
PARAMETERS = (WEIGHTS, MOMENTUM, TRAINING)
NAMES = ("no", "yes")
ORDER = {"pictures": 5, "batch_size": 2, "seed": 1}
STATE = Manifest("tiny_glore_0_1", NAMES, SMALL, 3, {}, 2, ORDER, 0.5)


class _Run:
    """A network and its trainer, made once: as small as there are any."""

    made = None

    def __init__(self):
        self.net = mx.gluon.nn.Dense(2, in_units=3, prefix="dense_")
        mx.random.seed(0)
        self.net.initialize()
        self.trainer = LocalComm().trainer(
            self.net.collect_params(), mx.optimizer.SGD(momentum=0.9)
        )
        self.average = WeightAverage(self.net, 0.9)
        self.average.start()

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made


@functools.cache
def run_folders():
    """The files of a run that was stopped within an epoch, by their names in its folder."""
    run = _Run.get()
    rows = [
        {"kind": "train", "step": 4, "epoch": 2, "loss": 0.5, "top1": 0.75, "lr": 0.1},
        {"kind": "eval", "epoch": 2, "loss": 0.5, "top1": 0.75, "top5": 1.0, "seconds": 1.5},
        {"kind": "train", "step": 5, "epoch": 3, "loss": 0.4, "top1": 0.8, "lr": 0.1},
    ]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_checkpoint(folder, run.net, run.trainer, STATE, average=run.average)
        write_config(folder, CONFIG)
        place = folder / "checkpoints" / FOLDER
        files = {name: (place / name).read_bytes() for name in (MANIFEST, *PARAMETERS)}
        files[CONFIG_FILE] = (folder / CONFIG_FILE).read_bytes()
        files[METRICS_FILE] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        files["summary.json"] = json.dumps({"config": CONFIG, "top1": 0.5}).encode()
        return [files]


def look_for_changes(folder):
    check_changes(folder, Config(), STATE, accept=True)


def restore(folder):
    run = _Run.get()
    assert restore_newest(folder, run.net, run.trainer, ORDER, run.average) >= (0, 0)
    assert run.average.count >= 0


def report(folder):
    read_run(folder).figures()


def find_data(folder):
    data_section(folder, "FILE")


def find_pictures(folder):
    validation_set(folder)


def find_scenes(folder):
    validation_source(folder, OF_PIXELS)


def rewind(folder):
    rewind_metrics(folder / METRICS_FILE, 3, 5)


# What `--resume` does before the first step, and `train.report`, with each file of a run.
CHECKPOINT = {
    MANIFEST: (look_for_changes, restore),
    **dict.fromkeys(PARAMETERS, (restore,)),
}
BESIDE = {
    CONFIG_FILE: (look_for_changes, report),
    METRICS_FILE: (report, rewind),
    "summary.json": (find_data, find_pictures, find_scenes),
}


def go_on(readers, files, folder):
    """Write the files of `readers`, and do what is done with those that are not as at first."""
    folder, (intact,) = Path(folder), run_folders()
    place = folder / "checkpoints" / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    for name in readers:
        ((place if name in CHECKPOINT else folder) / name).write_bytes(files[name])
    changed = [name for name in readers if files[name] != intact[name]] or readers
    refused = None
    for act in dict.fromkeys(act for name in changed for act in readers[name]):
        try:
            act(folder)
        except InputError as error:
            refused = error
    assert checkpoints(folder) == [place]
    if refused:
        raise refused


METRICS = ("{}", '{"kind": "train"}', '{"kind": [1]}', "[]", "7", "[" * 3000)
ROWS = {
    "parameters": Kind(parameter_files, mutate_bytes, read_parameters),
    "safetensors": Kind(safetensors_files, mutate_bytes, read_safetensors_file),
    "golden": Kind(golden_files, mutate_bytes, read_golden_numbers),
    "records": Kind(
        record_files, one_file({RECORDS: mutate_bytes, INDEX: mutate_bytes}), read_records
    ),
    "checkpoint": Kind(
        run_folders,
        one_file(
            {MANIFEST: mutate_yaml, **dict.fromkeys(PARAMETERS, mutate_bytes)},
            checksums_in(MANIFEST, PARAMETERS),
        ),
        functools.partial(go_on, CHECKPOINT),
    ),
    "run": Kind(
        run_folders,
        one_file(
            {
                CONFIG_FILE: mutate_yaml,
                METRICS_FILE: lines_of(METRICS),
                "summary.json": mutate_json,
            }
        ),
        functools.partial(go_on, BESIDE),
    ),
}
