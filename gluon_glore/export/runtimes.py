"""The runtimes of an exported folder, the fastest first: OpenVINO, ONNX Runtime, MXNet.

Each is made of the folder's `Files` and called with a batch: numpy in, float32 logits
`(B, classes)` out.
"""

import functools
import importlib.util
import os
import sys
import threading
import warnings

import numpy as np

from ..utils.cpu import processor_flags
from ..utils.errors import InputError
from ..utils.extras import how_to_install
from .files import read_files

# A processor has the instructions where it has one of these flags.
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
NO_INT8 = (
    "warning: this processor has no VNNI (avx512_vnni, avx_vnni or amx_int8): int8 runs here, but "
    "may be no faster than fp32"
)


class MXNetRuntime:
    """The folder's symbol, on the current context. OMP_NUM_THREADS sets its threads.

    On the CPU, oneDNN's operators are fused as it is loaded; a quantised symbol was stored so.
    """

    name = "mxnet"
    package = "mxnet"

    def __init__(self, files, threads=None):
        import mxnet as mx

        from .optimize import as_block, fuse_for_cpu

        deployment = files.manifest.deployment
        self._array = functools.partial(mx.nd.array, dtype=deployment.dtype)
        fused = mx.runtime.Features().is_enabled("MKLDNN")
        on_cpu = mx.context.current_context().device_type == "cpu"
        if fused and on_cpu and deployment.precision != "int8":
            symbol, params = map(os.fspath, (files.symbol, files.params))
            self._block = as_block(*fuse_for_cpu(mx.sym.load(symbol), mx.nd.load(params)))
        else:
            self._block = self.load(files)
            self._block.hybridize(static_alloc=True, static_shape=True)

    @staticmethod
    def load(files, ctx=None):
        """The SymbolBlock of the folder's symbol and parameters, on `ctx`."""
        from mxnet.gluon import SymbolBlock

        symbol, params = map(os.fspath, (files.symbol, files.params))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Cannot decide type")  # of data: float32 by default
            return SymbolBlock.imports(symbol, ["data"], params, ctx=ctx)

    def __call__(self, x):
        """A batch `(B, *input)` -> float32 logits `(B, classes)`, numpy both."""
        return self._block(self._array(x)).asnumpy()


class ONNXRuntime:
    """The folder's ONNX file in ONNX Runtime, on the CPU."""

    name = "onnxruntime"
    package = "onnxruntime"

    def __init__(self, files, threads=None):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            os.fspath(files.onnx), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, x):
        """A batch `(B, *input)` -> float32 logits `(B, classes)`, numpy both."""
        return self._session.run(None, {"data": np.ascontiguousarray(x)})[0]


class OpenVINO:
    """The folder's ONNX file in OpenVINO, on the CPU; no other runtime computes in bfloat16.

    In lowered precision all but the manifest's float32 units does so, where the processor can.
    A network is compiled for each shape of a batch: at batch 1, that is a third faster than one for
    all shapes. As each takes time and memory, four are kept; from then on a batch is filled up to
    the next larger of them, where there is one.
    """

    name = "openvino"
    package = "openvino"
    _KEPT = 4

    def __init__(self, files, threads=None):
        import openvino

        deployment = files.manifest.deployment
        self._core = openvino.Core()
        self._path = os.fspath(files.onnx)
        bfloat16 = computes_bfloat16(deployment)
        self._float32 = set(deployment.float32.get("onnx", ())) if bfloat16 else set()
        self._names = files.units
        self._options = {
            "INFERENCE_NUM_THREADS": threads or default_threads(),
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled = {}
        self._lock = threading.Lock()

    def __call__(self, x):
        """A batch `(B, *input)` -> float32 logits `(B, classes)`, numpy both; one at a time."""
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
        model = self._core.read_model(self._path)
        model.reshape(list(shape))
        if self._float32:
            self._keep_float32(model)
        return self._core.compile_model(model, "CPU", self._options)

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


RUNTIMES = {cls.name: cls for cls in (OpenVINO, ONNXRuntime, MXNetRuntime)}  # best first


def load_runtime(folder, name=None, threads=None):
    """The network of an exported folder, ready to be called with batches of its input.

    `name` is one of `RUNTIMES`, default: the first that is installed and whose file is there.
    `threads` defaults to OMP_NUM_THREADS or all cores. Raises InputError where the folder is
    damaged, or the runtime is unknown, not installed or has no file there.
    """
    return start_runtime(read_files(folder), name, threads)


def start_runtime(files, name=None, threads=None):
    """`load_runtime` for verified files. Raises InputError where `name` can't run them."""
    found = usable(files)
    if not found:
        how = how_to_install("cpu,deploy")
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
    if importlib.util.find_spec(RUNTIMES[name].package) is None:
        extra = "cpu" if name == "mxnet" else "deploy"
        return f"is not installed: {how_to_install(extra)}"
    if name != "mxnet" and not files.has(files.onnx):
        return f"needs {files.onnx.name}: export with --onnx"
    return ""


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
