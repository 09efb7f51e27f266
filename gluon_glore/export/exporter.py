"""A network as files that run anywhere: static symbol, parameters, ONNX, golden pair, manifest.

`DIR/NAME-symbol.json` and `DIR/NAME-0000.params` load with `SymbolBlock.imports` and with Module,
`DIR/NAME.onnx` with ONNX Runtime and OpenVINO; `DIR/manifest.yaml` says what goes in and comes out,
`DIR/README.md` how to load it all.
"""

import dataclasses
import os
from pathlib import Path

import mxnet as mx
import numpy as np

from ..networks.registry import unregistered
from ..utils.errors import InputError
from ..utils.files import is_taken, new_folder, write_text
from ..weights import named_arrays
from ..weights.deployment import FLOAT32_ERROR, Deployment, refuse_precision
from ..weights.manifest import Manifest, clip_of, write_manifest
from .activation_ranges import refuse_method
from .calibration import in_batches, read_calibration
from .files import Files, is_export, read_files
from .golden import (
    BATCH,
    golden_input,
    ordinary,
    relative_error,
    rounding_error,
    top1_agreement,
    typical_error,
    write_golden,
)
from .lower_precision import LIMIT, lower, refuse_lowering
from .onnx_file import import_onnx, write_onnx
from .optimize import optimize
from .readme import readme
from .runtimes import MXNetRuntime, start_runtime, usable

README = "README.md"
GOLDEN_SHARE = 2  # a pair of pictures may be as much further off than those that chose the units
ELSEWHERE = 3  # times the error here that lowered precision may have on another processor
ROUNDINGS = 4  # other orders of adding came within 1.8 times the effect of one


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
):
    """Write a `Network` to a folder, the whole of it or nothing; returns the folder.

    `manifest.preprocess` is how pictures are prepared for it: its `size` is that of the input.
    With `onnx` there is an ONNX file too. With `preprocess` the graph takes RGB pictures,
    uint8 `(B, H, W, 3)`, clips of them `(B, T, H, W, 3)`, and normalises them itself. With
    `any_size` height and width may vary in the ONNX file (symbols take any). `force` replaces an
    exported folder. `plain` leaves the graph as it trains, parameters under their own names: fit to
    train on and to import, not fastest. The manifest of a network of videos says what its clips are
    (default: the paper's).

    `precision` "bf16" is the ONNX file's in OpenVINO; "int8" is that of all files, its ranges those
    of the pictures `calibrate`, indexed RecordIO, by `method`: "minmax" or "entropy". Units whose
    lowering would take the outputs more than `tolerance` off stay in float32: the manifest lists
    them. With `calibrate` the golden pair is made of its pictures, and the others measure the error
    and accuracy of every runtime.

    Every runtime that is installed is given the golden pair, and the manifest says how well it did:
    within 1e-4 of the largest logit, or where the network magnifies rounding, 4 times what the last
    bit of the input does.
    Raises InputError where the manifest's classes or channels are not the network's, the folder is
    not empty, or a package is missing; RuntimeError where a runtime does not give the network's
    outputs.
    """
    _refuse_taken(directory, force)
    refuse_precision(precision)
    refuse_method(method)
    refuse_lowering(precision, onnx, calibrate)
    if plain and precision == "int8":
        raise InputError("a graph of integers is not plain: leave --plain out, or export as fp32")
    if onnx:
        import_onnx()
    _check_manifest(net, manifest)
    spec = unregistered(net.spec, manifest.model)
    manifest = dataclasses.replace(manifest, spec=spec, sha256={})
    manifest = dataclasses.replace(manifest, clip=clip_of(manifest))
    sizes, deployment = _input_of(net.spec, manifest, preprocess, any_size)
    deployment = dataclasses.replace(deployment, precision=precision, plain=plain)
    manifest = dataclasses.replace(manifest, deployment=deployment)
    calibration = read_calibration(calibrate, manifest) if calibrate else None

    def network(x):
        return net(mx.nd.array(_pixels(x, manifest))).asnumpy()

    with new_folder(directory, replace=force) as folder:
        if calibration:
            logits = in_batches(network, calibration.held_out)
            chosen = ordinary(logits, BATCH)
            x, expected = calibration.held_out[chosen], logits[chosen]
        else:
            x = golden_input(deployment, sizes)
            expected = network(x)
        rounding = rounding_error(lambda p: net(mx.nd.array(p)).asnumpy(), _pixels(x, manifest))
        exact = max(FLOAT32_ERROR, ROUNDINGS * rounding)
        most = exact if precision == "fp32" else max(exact, GOLDEN_SHARE * tolerance)
        files = Files(folder, manifest).with_deployment(tolerance=most)
        write_golden(folder, x, expected)
        symbol, arrays = _trace(net, manifest)
        if not plain:
            symbol, arrays = optimize(symbol, arrays)
        symbol.save(os.fspath(files.symbol))
        mx.nd.save(os.fspath(files.params), arrays)
        if onnx:
            write_onnx(files.onnx, symbol, arrays, deployment, sizes)
        if precision != "fp32":
            tried, used = (calibration.tried, calibration.used) if calibration else (x, x)
            kept = lower(files, symbol, arrays, network, tried, used, method, tolerance)
            files = files.with_deployment(float32=kept)
        checked = _run_all(files, x, expected)
        worst = max(figures["error"] for figures in checked.values())
        held_to = min(most, max(exact, ELSEWHERE * worst))
        if calibration:
            measured = _measure_all(files, calibration, logits)
            checked = {name: {**checked[name], **measured.get(name, {})} for name in checked}
        files = files.with_deployment(checked=checked, tolerance=held_to)
        write_text(folder / README, readme(files))
        write_manifest(folder, files.manifest, sorted(path.name for path in folder.iterdir()))
    return Path(directory)


def import_model(directory, ctx=None):
    """Load the symbol of an exported folder: (SymbolBlock from its input to logits, Manifest).

    Raises InputError where a file is missing or damaged.
    """
    files = read_files(directory)
    return MXNetRuntime.load(files, ctx), files.manifest


def _check_manifest(net, manifest):
    if len(manifest.class_names) != net.classes:
        raise InputError(f"{net.classes} class names needed, given {len(manifest.class_names)}")
    channels = manifest.preprocess.channels
    if channels != net.spec.in_channels:
        raise InputError(
            f"{manifest.model} takes {net.spec.in_channels} channels, given {channels}"
        )


def _input_of(spec, manifest, pictures, any_size):
    """The input of the network of a spec, prepared pixels or `pictures`: (sizes, Deployment)."""
    preprocess = manifest.preprocess
    size = tuple(preprocess.size)
    if manifest.clip:
        size = (manifest.clip.frames, *size[-2:])
    spec.check_input(size)
    axes = "DHW"[-spec.ndim :] if spec.ndim > 1 else "W"
    if pictures:
        sizes, layout, dtype = (None, *size, preprocess.channels), f"N{axes}C", "uint8"
    else:
        sizes, layout, dtype = (None, preprocess.channels, *size), f"NC{axes}", "float32"
    varying = "NHW" if any_size else "N"
    shape = tuple(None if axis in varying else n for axis, n in zip(layout, sizes))
    return sizes, Deployment(shape, layout, dtype)


def _pixels(x, manifest):
    """The pixels that a batch of the deployment's input stands for, `(B, C, *space)`."""
    if not manifest.deployment.takes_pictures:
        return x
    mean = np.array(manifest.preprocess.mean, "float32")
    return np.moveaxis((x - mean) * np.float32(manifest.preprocess.scale), -1, 1)


def _trace(net, manifest):
    """(symbol, arrays) of a network, behind the preparation of pictures where it takes those."""
    data = mx.sym.var("data")
    arrays = named_arrays(net)
    if manifest.deployment.takes_pictures:
        mean = np.array(manifest.preprocess.mean, "float32")
        axes = len(manifest.deployment.shape)
        x = mx.sym.cast(data, dtype="float32", name="preprocess_cast")
        x = mx.sym.transpose(x, axes=(0, axes - 1, *range(1, axes - 1)), name="preprocess_planes")
        mean = mean.reshape(1, -1, *(1,) * (axes - 2))
        center = mx.sym.var("preprocess_mean", shape=mean.shape)  # Module can't infer it
        x = mx.sym.broadcast_sub(x, center, name="preprocess_center")
        data = x * manifest.preprocess.scale
        arrays["arg:preprocess_mean"] = mx.nd.array(mean)
    symbol = net(data)
    used = set(symbol.list_inputs())  # an auxiliary head, which only training has, is none of it
    return symbol, {name: array for name, array in arrays.items() if name[4:] in used}


def _run_all(files, x, expected):
    """{runtime: figures} of the golden pair. Raises RuntimeError where one is beyond tolerance."""
    figures = {}
    for name in usable(files):
        logits = start_runtime(files, name)(x)
        error = relative_error(logits, expected)
        if error > files.manifest.deployment.tolerance:
            raise RuntimeError(
                f"{name} does not give the network's outputs: they differ by {error:.1e} of the "
                f"largest, allowed {files.manifest.deployment.tolerance:.1e}"
            )
        figures[name] = {"error": error, "top1_agreement": top1_agreement(logits, expected)}
    return figures


def _measure_all(files, calibration, expected):
    """{runtime: figures} of the pictures held out: error, agreement with float32, accuracy.

    In bf16 only OpenVINO has anything to show.
    """
    x, labels = calibration.held_out, calibration.labels
    figures = {}
    bfloat16 = files.manifest.deployment.precision == "bf16"
    for name in ["openvino"] if bfloat16 else usable(files):
        logits = in_batches(start_runtime(files, name), x)
        figures[name] = {
            "pictures": len(x),
            "pictures_error": typical_error(logits, expected),
            "pictures_top1_agreement": top1_agreement(logits, expected),
            "accuracy": float((logits.argmax(axis=1) == labels).mean()),
            "float32_accuracy": float((expected.argmax(axis=1) == labels).mean()),
        }
    return figures


def _refuse_taken(directory, force):
    if is_taken(directory) and not force:
        raise InputError(f"{directory}: not an empty folder; --force replaces an exported one")
    if is_taken(directory) and not is_export(directory):
        raise InputError(f"{directory}: not an exported folder, it stays as it is")
