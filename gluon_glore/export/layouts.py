"""Exported folders as other people's servers read them: a row of `LAYOUTS` a server.

A row says what files are called, where the folder lies and what stands beside its files. The folder
is one like any: `check`, `predict` and `serve` take it.
"""

import dataclasses
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict

from ..utils.errors import InputError, shown
from ..weights.manifest import labels_pixels
from .files import CONFIG, Files, is_export

LABELS = "labels.txt"
MAX_BATCH = 32  # samples that Triton computes at once
_TYPES = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8"}  # as Triton calls them
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)  # the same in a path and in a URL


@dataclass(frozen=True)
class Layout:
    """What a server finds: `files` are `{name: its text, made of the folder's Files}`.

    `stem` is what the names of the folder's own files begin with, "" for the network's name.
    `version` is the folder's name where it is a version of a model, OUT/NAME/version, beside which
    the `files` stand; else they are among its own. `implied` are options of `export_model` that the
    server needs. `refuse(manifest, options)` raises InputError for a network that it can't run.
    """

    files: Dict[str, Callable[[Files], str]]
    refuse: Callable
    stem: str = ""
    version: str = ""
    implied: Dict[str, object] = field(default_factory=dict)

    def with_implied(self, options):
        """`ExportOptions` with those implied. Raises InputError where another value is given."""
        for name, needed in self.implied.items():
            given = getattr(options, name)
            if given not in (False, needed):
                raise InputError(
                    f"the layout {options.layout} takes {name} {needed}, given {shown(given)}: "
                    "leave it out"
                )
        return dataclasses.replace(options, **self.implied)

    def place(self, directory, manifest):
        """(the folder that an export replaces, the exported folder in it) below `directory`.

        Raises InputError where `directory` is an exported folder, in which no models lie.
        """
        if not self.version:
            return Path(directory), Path(directory)
        if is_export(directory):
            raise InputError(f"{directory}: an exported folder, a folder of models is needed")
        model = Path(directory) / manifest.model
        return model, model / self.version

    def refuse_more(self, place):
        """Raise InputError where a model's folder has what no export writes: it would be lost."""
        if self.version and place.is_dir():
            known = {self.version, *self.files}
            more = sorted(path.name for path in place.iterdir() if path.name not in known)
            if more:
                raise InputError(f"{place}: {more[0]} is there too, it stays as it is")

    def write(self, files):
        """Write the files that the server reads besides, in the place that `place` told."""
        folder = files.folder.parent if self.version else files.folder
        for name, text_of in self.files.items():
            text = text_of(files)
            if text:
                (folder / name).write_text(text, encoding="utf-8")


def layout_of(name) -> Layout:
    """The row called `name`, of "" that of a folder as it is. Raises InputError for no such row."""
    if name not in LAYOUTS:
        known = ", ".join(filter(None, LAYOUTS))
        raise InputError(f"unknown layout {shown(name)}, known: {known}")
    return LAYOUTS[name]


def _class_names(files):
    return "".join(f"{name}\n" for name in files.manifest.class_names)


def _labels(files):
    """The class names, "" of networks of pixels, where Triton would count all pixels' outputs."""
    return "" if labels_pixels(files.manifest) else _class_names(files)


def _config(files, backend, max_batch, parameters=()):
    """Triton's `ModelConfig` in protobuf's text format. Without `max_batch` it batches nothing."""
    deployment = files.manifest.deployment
    varying = [-1 if n is None else n for n in deployment.shape]
    sizes = dict(zip(deployment.layout, varying))
    space = [sizes[axis] for axis in "HW"] if labels_pixels(files.manifest) else []
    outputs = [-1, len(files.manifest.class_names), *space]
    first = 1 if max_batch else 0
    labels = "" if space else f'\n    label_filename: "{LABELS}"'
    text = f"""name: "{files.manifest.model}"
backend: "{backend}"
default_model_filename: "{files.onnx.name}"
max_batch_size: {max_batch}
input [
  {{
    name: "data"
    data_type: {_TYPES[deployment.dtype]}
    dims: [ {", ".join(map(str, varying[first:]))} ]
  }}
]
output [
  {{
    name: "{deployment.output}"
    data_type: TYPE_FP32
    dims: [ {", ".join(map(str, outputs[first:]))} ]{labels}
  }}
]
"""
    for key, value in parameters:
        text += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    return text + ("dynamic_batching { }\n" if max_batch else "")


def _onnxruntime(files):
    return _config(files, "onnxruntime", MAX_BATCH)


def _openvino(files):
    """The backend computes whole batches of `max_batch_size` alone, so clients batch.

    Raises InputError where units have to stay in float32, which the backend can't be told.
    """
    deployment = files.manifest.deployment
    if deployment.precision != "bf16":
        print(
            "warning: on processors with bfloat16 Triton's OpenVINO backend computes in it, unlike "
            f"what was checked here in {deployment.precision}: --layout triton does not",
            file=sys.stderr,
        )
        return _config(files, "openvino", 0)
    kept = deployment.float32["onnx"]
    if kept:
        raise InputError(
            f"Triton's OpenVINO backend computes all or nothing in bf16, {', '.join(kept[:3])} "
            "must stay in float32: export as fp32, or allow more with --tolerance"
        )
    return _config(files, "openvino", 0, [("HINT_BF16", "YES")])


def _refuse_triton(manifest, options):
    if not _NAME.fullmatch(manifest.model):
        raise InputError(
            f"a model of Triton's is called by letters, digits and . _ -, given {manifest.model}"
        )
    if options.layout == "triton" and options.precision == "bf16":
        raise InputError(
            "Triton's ONNX Runtime backend computes in float32: --layout triton-openvino for bf16"
        )


def _refuse_mms(manifest, options):
    if labels_pixels(manifest) or manifest.clip:
        what = "labels pixels" if labels_pixels(manifest) else "takes videos"
        raise InputError(f"{manifest.model} {what}, MMS's handler names the class of a picture")
    if manifest.preprocess.channels != 3:
        raise InputError(
            f"{manifest.model} takes pictures of {manifest.preprocess.channels} channels, MMS's "
            "handler decodes them to 3"
        )
    if any(name != name.strip() for name in manifest.class_names):
        raise InputError("MMS's handler takes spaces around class names away: leave them out")


def _signature(files):
    """What MMS's handler resizes pictures to, and binds; a size of 0 is a batch of any."""
    shape = [0, *files.sample_shape[1:]]
    classes = len(files.manifest.class_names)
    return _json(
        {
            "inputs": [{"data_name": "data", "data_shape": shape}],
            "input_type": "image/jpeg",
            "outputs": [{"data_name": "probabilities", "data_shape": [0, classes]}],
            "output_type": "application/json",
        }
    )


def _shapes(files):
    """What SageMaker's handler binds; the batch is its own."""
    return _json([{"name": "data", "shape": [1, *files.sample_shape[1:]]}])


def _json(value):
    return json.dumps(value, indent=2) + "\n"


_TRITON = {"refuse": _refuse_triton, "version": "1", "implied": {"onnx": True}}
LAYOUTS = {
    "": Layout({}, lambda manifest, options: None),
    "triton": Layout({CONFIG: _onnxruntime, LABELS: _labels}, **_TRITON),
    "triton-openvino": Layout({CONFIG: _openvino, LABELS: _labels}, **_TRITON),
    # Multi Model Server's vision handler, SageMaker's for MXNet, and DJL's MXNet engine.
    "mms": Layout(
        {"signature.json": _signature, "synset.txt": _class_names, "model-shapes.json": _shapes},
        _refuse_mms,
        stem="model",
        implied={"softmax": True, "preprocess": "NCHW"},
    ),
}
