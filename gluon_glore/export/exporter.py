"""A network as files that run anywhere: static symbol, parameters, ONNX, golden pair, manifest.

`DIR/NAME-symbol.json` and `DIR/NAME-0000.params` load with `SymbolBlock.imports` and with Module,
`DIR/NAME.onnx` with ONNX Runtime and OpenVINO, `DIR/NAME.pt2` with PyTorch; `DIR/manifest.yaml`
says what goes in and comes out, `DIR/README.md` how to load it all.
"""

import dataclasses
import os
from dataclasses import dataclass
from typing import Optional, Union

import mxnet as mx

from ..networks.network import Network, dtype_name
from ..networks.outputs import flat
from ..networks.registry import unregistered
from ..utils.errors import InputError, shown
from ..utils.extras import require
from ..utils.files import is_taken, new_folder, write_text
from ..weights.deployment import FLOAT32_ERROR, Deployment, refuse_precision
from ..weights.golden import (
    BATCH,
    log_softmax,
    noise,
    noise_pictures,
    rounding_error,
    write_golden,
)
from ..weights.manifest import Manifest, clip_of, write_manifest
from ..weights.parameters import check_values, named_arrays
from ..weights.state_file import write_state
from .activation_ranges import refuse_method
from .calibration import Calibration, most_typical, read_calibration
from .describe import refuse_one_size, refuse_other_ends, refuse_probabilities
from .ends import prepare, with_ends, without_end
from .files import Files, is_export, read_files
from .layouts import layout_of
from .lower_precision import LIMIT, lower, refuse_lowering
from .measured import measure_held_out, run_golden
from .onnx_file import import_onnx, write_onnx
from .optimize import as_block, optimize
from .readme import readme
from .runtime import refusing
from .runtimes import too_old
from .samples import in_batches
from .symbol_file import read_symbol_file
from .traced import trace

README = "README.md"
PIXEL_LAYOUTS = ("NHWC", "NCHW")  # of pictures that a graph normalises itself
# Factors of the tolerance that the manifest gives:
GOLDEN_SHARE = 2  # the golden pair's two pictures may be off by more than the average picture
ELSEWHERE = 3  # lowered precision may be off by more on another processor than it is here
ROUNDINGS = 4  # of `rounding_error`: other orders of summation came within 1.8 times that


@dataclass(frozen=True)
class ExportOptions:
    """How a network is exported; `export_model` says what each option does."""

    precision: str = "fp32"
    onnx: bool = False
    preprocess: Union[bool, str] = False
    any_size: bool = False
    calibrate: Optional[os.PathLike] = None
    method: str = "entropy"
    tolerance: float = LIMIT
    plain: bool = False
    pytorch: bool = False
    softmax: bool = False
    layout: str = ""

    def check(self):
        """Raise InputError where an option is unknown, or can't be had here or with the others."""
        refuse_precision(self.precision)
        refuse_method(self.method)
        if self.preprocess not in (False, True, *PIXEL_LAYOUTS):
            raise InputError(
                f"unknown layout of pixels {shown(self.preprocess)}, known: "
                f"{', '.join(PIXEL_LAYOUTS)}"
            )
        refuse_lowering(self.precision, self.onnx, self.calibrate)
        if self.plain and self.precision == "int8":
            raise InputError(
                "a graph of integers is not plain: leave --plain out, or export as fp32"
            )
        if self.pytorch and self.precision == "int8":
            raise InputError(
                "a PyTorch program computes in float32: leave --pytorch out, or export as fp32"
            )
        if self.onnx:
            import_onnx()
        if self.pytorch:
            require("torch", "pytorch", "--pytorch")
            if too_old("pytorch"):
                raise InputError(f"--pytorch {too_old('pytorch')}")


def export_model(
    net,
    directory,
    manifest: Manifest,
    precision="fp32",
    onnx=False,
    preprocess=False,
    any_size=False,
    force=False,
    calibrate=None,
    method="entropy",
    tolerance=LIMIT,
    plain=False,
    pytorch=False,
    softmax=False,
    layout="",
):
    """Write a network to a folder, the whole of it or nothing.

    It is a `Network`, or any HybridBlock with the manifest that `describe` makes of it.
    `manifest.preprocess` is how pictures are prepared for it: its `size` is that of the input.
    With `onnx` there is an ONNX file too, with `pytorch` a program of PyTorch's and the parameters
    by its names, both in float32: of a `Network`, whose layers are those of its spec. With
    `preprocess` the graph takes RGB pictures and normalises them itself: True or "NHWC" is uint8
    `(B, H, W, 3)`, "NCHW" `(B, 3, H, W)`, of clips `(B, T, H, W, 3)` and `(B, 3, T, H, W)`. With
    `softmax` its output is the probabilities of the classes, axis 1, in all files. With `any_size`
    height and width may vary in those files (symbols take any). `force` replaces an exported
    folder. `plain` leaves the graph as it trains, parameters under their own names: fit to train on
    and to import, not fastest. The manifest of a network of videos says what its clips are
    (default: the paper's).

    `layout` is a row of `layouts.LAYOUTS`: "mms" names the files as MMS, SageMaker and DJL read
    them; "triton" and "triton-openvino" make `directory` a repository of Triton's, where the folder
    is NAME/1, beside other models. What the servers need of `onnx`, `softmax` and `preprocess` is
    then so.

    `precision` "bf16" is the ONNX file's in OpenVINO; "int8" is that of all files. Its ranges are
    those of the labelled samples `calibrate`, as `open_samples` takes them, by `method`: "minmax"
    or "entropy". Units that would take the outputs more than `tolerance` off stay in float32: the
    manifest lists them. With `calibrate` the golden pair is two of its samples, and up to 256 that
    did not calibrate measure the error and score of every runtime.

    Every runtime that is installed is given the golden pair, and the manifest says how well it did:
    within 1e-4 of the largest logit, or where the network magnifies rounding, 4 times what the last
    bit of the input does.
    Returns the exported folder. Raises InputError where the manifest's classes or channels are not
    the network's, the network has no values, is not of float32 or gives no logits, or is none that
    the layout's servers can run, the folder is not empty, or a package is missing; RuntimeError
    where a runtime does not give the network's outputs.
    """
    row = layout_of(layout)
    options = row.with_implied(
        ExportOptions(
            precision=precision,
            onnx=onnx,
            preprocess=preprocess,
            any_size=any_size,
            calibrate=calibrate,
            method=method,
            tolerance=tolerance,
            plain=plain,
            pytorch=pytorch,
            softmax=softmax,
            layout=layout,
        )
    )
    place, exported = row.place(directory, manifest)
    if force:
        row.refuse_more(place)
    _refuse_taken(place, force)
    options.check()
    manifest, traced = _complete(net, manifest, options)
    row.refuse(manifest, options)
    calibration = read_calibration(calibrate, manifest) if calibrate else None
    with new_folder(place, replace=force) as new:
        folder = new / exported.relative_to(place)
        folder.mkdir(exist_ok=True)
        _write_folder(net, traced, Files(folder, manifest), options, calibration)
    return exported


def import_model(directory, ctx=None):
    """Load the symbol of an exported folder: (SymbolBlock from its input to logits, Manifest).

    A softmax that it was exported with is left out. Raises InputError where a file is missing or
    damaged, or MXNet can't load it.
    """
    files = read_files(directory)
    with refusing(files.symbol, "mxnet can't load it"):
        symbol, arrays = read_symbol_file(files)
        block = as_block(without_end(symbol, files), arrays, ctx)
    return block, files.with_deployment(probabilities=False).manifest


def _complete(net, manifest, options):
    """(the manifest of the folder to be with its deployment, the network as `Traced`).

    Raises InputError where the manifest is another network's, or it has no values or is not of
    float32.
    """
    own = isinstance(net, Network)
    if own:
        manifest = _own(net, manifest)
    elif manifest.task is None:
        raise InputError(
            f"{manifest.model} is no network of this project: gluon_glore.describe(net, ...) makes "
            "its manifest"
        )
    if options.pytorch and not own:
        raise InputError(
            f"{manifest.model} is no network of this project, of which alone there are PyTorch "
            "programs: leave --pytorch out"
        )
    check_values(net)
    _refuse_other_types(net, manifest)
    space = _space(manifest)
    channels = manifest.preprocess.channels
    traced = trace(net, (BATCH, channels, *space), manifest.output)
    if not own:
        refuse_other_ends(traced, manifest)
        if options.any_size:
            refuse_one_size(traced, manifest)
    if options.softmax and len(manifest.class_names) == 1:
        raise InputError(f"{manifest.model} has one class, whose probability is 1: leave it logits")
    axes = "DHW"[-len(space) :]
    if options.preprocess in (True, "NHWC"):
        sizes, layout = (None, *space, channels), f"N{axes}C"
    else:
        sizes, layout = (None, channels, *space), f"NC{axes}"
    varying = "NHW" if options.any_size else "N"
    deployment = Deployment(
        tuple(None if axis in varying else n for axis, n in zip(layout, sizes)),
        layout,
        "uint8" if options.preprocess else "float32",
        options.precision,
        plain=options.plain,
        probabilities=options.softmax,
        stem=layout_of(options.layout).stem,
    )
    manifest = dataclasses.replace(manifest, sha256={}, deployment=deployment)
    return manifest, traced


def _own(net, manifest):
    """The manifest of a `Network`, with its own spec and clip.

    Raises InputError where its classes, channels or size are not the network's.
    """
    if not net.classes:
        raise InputError(
            f"{manifest.model} with classes=0 tells no classes apart: net.export writes its graph"
        )
    if len(manifest.class_names) != net.classes:
        raise InputError(f"{net.classes} class names needed, given {len(manifest.class_names)}")
    channels = manifest.preprocess.channels
    if channels != net.spec.in_channels:
        raise InputError(
            f"{manifest.model} takes {net.spec.in_channels} channels, given {channels}"
        )
    spec = unregistered(net.spec, manifest.model)
    manifest = dataclasses.replace(manifest, spec=spec, task=None)
    manifest = dataclasses.replace(manifest, clip=clip_of(manifest))
    net.spec.check_input(_space(manifest))
    return manifest


def _space(manifest):
    """(height, width) of a network's input, of videos (frames, height, width)."""
    size = tuple(manifest.preprocess.size)
    return (manifest.clip.frames, *size[-2:]) if manifest.clip else size


def _refuse_other_types(net, manifest):
    """Raise InputError where a network computes in another type than float32, or takes pictures."""
    types = {dtype_name(param.dtype) for param in net.collect_params().values()} - {"float32"}
    dtype = min((name for name in types if "float" in name), default=None)
    if dtype:
        raise InputError(
            f'{manifest.model} is a network of {dtype}: net.cast("float32") loses nothing, and is '
            "then exported"
        )
    made = None if isinstance(net, Network) else manifest.deployment
    if made and (made.takes_pictures or made.precision == "int8"):
        raise InputError(
            f"{manifest.model} was exported to take {made.dtype} in {made.precision}: export what "
            "it was made of"
        )


def _logits_of(net, traced):
    """The network as a function of prepared pixels to its logits, numpy arrays both."""
    if traced.place is None:  # the network itself goes on from them
        block, place = as_block(traced.symbol, traced.arrays(net)), 0
    else:
        block, place = net, traced.place
    return lambda x: flat(block(mx.nd.array(x)))[place].asnumpy()


def _write_folder(net, traced, files, options, calibration):
    """Write the files of an export to its empty folder, the manifest last.

    Raises InputError where the outputs are no logits, RuntimeError where a runtime does not give
    the network's.
    """
    manifest = files.manifest
    outputs_of = _logits_of(net, traced)

    def logits_of(pixels):
        """Float32 logits of prepared pixels, as `Runtime` gives them."""
        outputs = outputs_of(pixels)
        refuse_probabilities(outputs, manifest.model)
        return log_softmax(outputs) if options.softmax else outputs

    def network(x):
        """Float32 logits of a batch of the deployment's input."""
        return logits_of(prepare(x, manifest))

    def tolerance(x):
        """The error that rounding allows on a batch."""
        return max(FLOAT32_ERROR, ROUNDINGS * rounding_error(logits_of, prepare(x, manifest)))

    draw = noise_pictures if manifest.deployment.takes_pictures else noise
    if calibration:
        logits = in_batches(network, calibration.compared)
        chosen = most_typical(logits, BATCH)
        x, expected = calibration.compared[chosen], logits[chosen]
    else:
        x = draw(files.sample_shape)
        expected = network(x)
    write_golden(files.folder, x, expected, options.softmax)

    symbol, arrays = with_ends(traced.symbol, traced.arrays(net), manifest)
    if not options.plain:
        symbol, arrays = optimize(symbol, arrays)
    symbol.save(os.fspath(files.symbol))
    mx.nd.save(os.fspath(files.params), arrays)
    if options.onnx:
        write_onnx(files.onnx, symbol, arrays, manifest.deployment, files.sample_shape)
    if options.pytorch:
        _write_pytorch(net, files)
    if options.any_size:  # pools at borders were seen to be right at one size alone
        larger = draw(files.larger_shape)
        in_float32 = files.with_deployment(precision="fp32", tolerance=tolerance(larger))
        run_golden(in_float32, larger, network(larger))

    exact = allowed = tolerance(x)
    if options.precision != "fp32":
        allowed = max(exact, GOLDEN_SHARE * options.tolerance)
    files = files.with_deployment(tolerance=allowed)
    if options.precision != "fp32":
        inputs = calibration or Calibration(x)
        files = lower(files, symbol, arrays, network, inputs, options.method, options.tolerance)

    checked = run_golden(files, x, expected)
    worst = max(figures["error"] for figures in checked.values())
    allowed = min(allowed, max(exact, ELSEWHERE * worst))
    if calibration:
        measured = measure_held_out(files, calibration, network)
        checked = {name: {**checked[name], **measured.get(name, {})} for name in checked}
    files = files.with_deployment(checked=checked, tolerance=allowed)
    layout_of(options.layout).write(files)
    write_text(files.folder / README, readme(files))
    names = sorted(path.name for path in files.folder.iterdir())
    write_manifest(files.folder, files.manifest, names)


def _write_pytorch(net, files):
    """Write the program for PyTorch, and the parameters by its names.

    Raises InputError where the network is not of the layers of its spec.
    """
    from .program import network_of, write_program

    network = network_of(net.spec, net.classes, named_arrays(net))
    write_state(network, files.safetensors, dataclasses.replace(files.manifest, deployment=None))
    write_program(files.program, network, files)


def _refuse_taken(directory, force):
    if is_taken(directory) and not force:
        raise InputError(f"{directory}: not an empty folder; --force replaces an exported one")
    if is_taken(directory) and not is_export(directory):
        raise InputError(f"{directory}: not an exported folder, it stays as it is")
