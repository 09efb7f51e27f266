"""The runtimes of an exported folder, the fastest first: OpenVINO, ONNX Runtime, MXNet, PyTorch.

Each is a `Runtime`: made of the folder's `Files` and called with a batch, numpy in, logits out.
"""

import importlib.util
import os
import re
import sys
import threading
from importlib import metadata

import numpy as np

from ..utils.cpu import bound_caches, processor_flags
from ..utils.errors import InputError
from ..utils.extras import how_to_install
from .files import read_files
from .onnx_file import refuse_external
from .runtime import Runtime, refuse_ends

# A processor has the instructions where it has one of these flags.
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
NO_INT8 = (
    "warning: this processor has no VNNI (avx512_vnni, avx_vnni or amx_int8): int8 runs here, but "
    "may be no faster than fp32"
)


class MXNetRuntime(Runtime):
    """The folder's symbol, on the current context. OMP_NUM_THREADS sets its threads.

    On the CPU, oneDNN's operators are fused as it is loaded; a quantised symbol was stored so.
    Threads that call it take turns.
    """

    name = "mxnet"
    package = "mxnet"
    extra = "cpu"
    file = "symbol"

    def _start(self, files, threads):
        bound_caches()
        import mxnet as mx

        from ..networks.shared_block import SharedBlock
        from .optimize import as_block, fuse_for_cpu
        from .symbol_file import read_symbol_file

        deployment = files.manifest.deployment
        symbol, arrays = read_symbol_file(files)
        fused = mx.runtime.Features().is_enabled("MKLDNN")
        on_cpu = mx.context.current_context().device_type == "cpu"
        if fused and on_cpu and deployment.precision != "int8":
            symbol, arrays = fuse_for_cpu(symbol, arrays, files.sample_shape)
        block = as_block(symbol, arrays)
        block.hybridize(static_alloc=True, static_shape=True)
        self._block = SharedBlock(block, deployment.dtype)

    def _run(self, x):
        return self._block(x)


class ONNXRuntime(Runtime):
    """The folder's ONNX file in ONNX Runtime, on the CPU."""

    name = "onnxruntime"
    package = "onnxruntime"
    file = "onnx"
    option = "--onnx"

    def _start(self, files, threads):
        refuse_external(files.onnx)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        options.log_severity_level = 4  # errors are raised, too
        self._session = onnxruntime.InferenceSession(
            os.fspath(files.onnx), options, providers=["CPUExecutionProvider"]
        )
        inputs = [x.name for x in self._session.get_inputs()]
        refuse_ends(inputs, len(self._session.get_outputs()))

    def _run(self, x):
        return self._session.run(None, {"data": np.ascontiguousarray(x)})[0]


class OpenVINO(Runtime):
    """The folder's ONNX file in OpenVINO, on the CPU; no other runtime computes in bfloat16.

    In lowered precision all but the manifest's float32 units does so, where the processor can.
    A network is compiled for each shape of a batch: at batch 1, that is a third faster than one for
    all shapes. As each takes time and memory, four are kept; from then on a batch is filled up to
    the next larger of them, where there is one. Threads that call it take turns.
    """

    name = "openvino"
    package = "openvino"
    file = "onnx"
    option = "--onnx"
    _KEPT = 4

    def _start(self, files, threads):
        refuse_external(files.onnx)
        import openvino

        deployment = files.manifest.deployment
        self._core = openvino.Core()
        bfloat16 = computes_bfloat16(deployment)
        self._float32 = set(deployment.float32.get("onnx", ())) if bfloat16 else set()
        self._names = files.units if self._float32 else None
        self._options = {
            "INFERENCE_NUM_THREADS": threads or default_threads(),
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled = {}
        self._lock = threading.Lock()
        model = self._read()  # what can't be read is told now
        refuse_ends([x.get_any_name() for x in model.inputs], len(model.outputs))

    def _run(self, x):
        with self._lock:
            shape = self._fitting(x.shape)
            network = self._compiled.pop(shape, None) or self._compile(shape)
            self._compiled[shape] = network  # the last of them is the latest used
            missing = shape[0] - len(x)
            if missing:
                x = np.concatenate([x, x[:1].repeat(missing, axis=0)])
            return network(x)[0][: shape[0] - missing].copy()

    def _fitting(self, shape):
        """The shape to run a batch of `shape` as: its own, or a larger one that is compiled."""
        if shape in self._compiled or len(self._compiled) < self._KEPT:
            return shape
        larger = [s for s in self._compiled if s[1:] == shape[1:] and s[0] > shape[0]]
        return min(larger, default=shape)

    def _compile(self, shape):
        """The network compiled for a shape, in the place of the one unused for the longest."""
        while len(self._compiled) >= self._KEPT:
            del self._compiled[next(iter(self._compiled))]
        model = self._read()
        model.reshape(list(shape))
        if self._float32:
            self._keep_float32(model)
        return self._core.compile_model(model, "CPU", self._options)

    def _read(self):
        return self._core.read_model(os.fspath(self._path))

    def _keep_float32(self, model):
        """Mark the operators of the float32 units, which then don't compute in bfloat16."""
        from openvino._offline_transformations import apply_moc_transformations

        # Compiling begins with these transformations, and operators that they replace lose their
        # marks: half of the units' matrix products, all of the normalisations.
        apply_moc_transformations(model, True)
        operators = model.get_ordered_ops()
        readers = [
            (
                op.get_friendly_name(),
                [
                    reader.get_node().get_friendly_name()
                    for output in op.outputs()
                    for reader in output.get_target_inputs()
                ],
            )
            for op in operators
        ]
        unit_of = self._names.of_graph(readers)
        for op in operators:
            if unit_of[op.get_friendly_name()] in self._float32:
                op.get_rt_info()["precise_0"] = True


class PyTorch(Runtime):
    """The folder's program in PyTorch, on the CPU, in float32.

    Its threads are those of all that PyTorch does in this process. PyTorch 2.8 can't read what 2.14
    writes.
    """

    name = "pytorch"
    package = "torch"
    extra = "pytorch"
    file = "program"
    option = "--pytorch"
    least = (2, 11)

    def _start(self, files, threads):
        import torch

        from .program_file import read_program

        torch.set_num_threads(threads or default_threads())
        self._network = read_program(files.program)

    def _run(self, x):
        import torch

        with torch.inference_mode():
            logits = self._network(torch.tensor(x))
        return np.ascontiguousarray(logits.numpy())


RUNTIMES = {cls.name: cls for cls in (OpenVINO, ONNXRuntime, MXNetRuntime, PyTorch)}  # best first


def load_runtime(folder, name=None, threads=None):
    """The network of an exported folder, ready to be called with batches of its input.

    `name` is one of `RUNTIMES`, default: the first that is installed and whose file is there.
    `threads` defaults to OMP_NUM_THREADS or all cores. It may be called in several threads. Raises
    InputError where the folder is damaged, or the runtime is unknown, not installed, has no file
    there or can't load it; so does a call that fails or gives what the manifest does not say.
    """
    return start_runtime(read_files(folder), name, threads)


def start_runtime(files, name=None, threads=None):
    """`load_runtime` for verified files. Raises InputError where `name` can't run them."""
    found = usable(files)
    if not found:
        there = [row for row in RUNTIMES.values() if files.has(getattr(files, row.file))]
        how = how_to_install(",".join(sorted({row.extra for row in there})))
        raise InputError(f"{files.folder}: nothing that runs it is installed: {how}")
    if name is None:
        name = found[0]
    elif name not in RUNTIMES:
        raise InputError(f"unknown runtime {name!r}, known: {', '.join(RUNTIMES)}")
    elif name not in found:
        raise InputError(f"{files.folder}: {name} {lack(files, name)}")
    if files.manifest.deployment.precision == "int8" and not INT8_FLAGS & processor_flags():
        print(NO_INT8, file=sys.stderr)
    return RUNTIMES[name](files, threads)


def usable(files):
    """Names of the runtimes that are installed and have their file, best first."""
    return [name for name in RUNTIMES if not lack(files, name)]


def lack(files, name):
    """Why a runtime can't run these files, a clause without subject; empty where it can."""
    runtime = RUNTIMES[name]
    if importlib.util.find_spec(runtime.package) is None:
        return f"is not installed: {how_to_install(runtime.extra)}"
    if too_old(name):
        return too_old(name)
    file = getattr(files, runtime.file)
    if runtime.option and not files.has(file):
        return f"needs {file.name}: export with {runtime.option}"
    return ""


def too_old(name):
    """Why the version of a runtime that is installed won't do, a clause; empty where it will."""
    runtime = RUNTIMES[name]
    given = metadata.version(runtime.package) if runtime.least else ""
    if tuple(map(int, re.findall(r"\d+", given)[:2])) >= runtime.least:
        return ""
    least = ".".join(map(str, runtime.least))
    return f"needs {runtime.package} {least} or newer, given {given}"


def default_threads():
    """OMP_NUM_THREADS, else all cores of this process."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def computes_bfloat16(deployment):
    """Whether a network computes in bfloat16 here; warns where it was exported to and can't.

    Of one in int8, all but the convolutions does.
    """
    if deployment.precision == "fp32":
        return False
    able = bool(BFLOAT16_FLAGS & processor_flags())
    if not able and deployment.precision == "bf16":
        print(
            "warning: this processor has no bfloat16 (avx512_bf16 or amx_bf16): running in float32",
            file=sys.stderr,
        )
    return able
