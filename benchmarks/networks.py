"""The networks that the deployment benchmarks run, as folders: a zoo entry, its exports.

They are registered ones by name, or any network by the path of its exported folder.

Speed does not depend on what a network has learnt, but untrained statistics let the units' triple
products overflow: random weights are settled on a batch first, and are small behind the products.
"""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np

from gluon_glore import get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.export.files import read_files
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.golden import noise, noise_pictures

MEAN = 120.0  # of the pixels in the pictures for calibration
# Of the last weights of a pre-norm unit, which a product of three activations goes through. At full
# size a picture that is a little unlike the others is some 1e20 behind five such units.
SMALLER = 0.1


def network(name):
    """The spec of a registered network, or with its units in the other arrangement: `NAME_post`.

    Raises InputError where there is none.
    """
    if not name.endswith("_post"):
        return get_spec(name)
    spec = get_spec(name[: -len("_post")])
    if not any(extra.kind == "glore" for extra in spec.extras):
        raise InputError(f"{name}: {spec.name} has no GloRe units to arrange")
    extras = tuple(
        dataclasses.replace(extra, options=(*extra.options, ("arrangement", "post")))
        for extra in spec.extras
    )
    return dataclasses.replace(spec, extras=extras, name=name)


def pixels(spec, batch):
    """A batch of prepared pixels, the same at every call: float32 `(batch, C, H, W)`."""
    shape = (batch, spec.in_channels, *spec.input_size)
    return np.random.RandomState(0).normal(size=shape).astype("float32")


def exported_pixels(folder, batch):
    """A batch of an exported folder's input, the same at every call; sizes that vary as trained."""
    files = read_files(folder)
    draw = noise_pictures if files.manifest.deployment.takes_pictures else noise
    return draw((batch, *files.sample_shape[1:]))


def make_block(name, batch):
    """(a block, a batch of its input) of a registered network with random weights.

    Or of an exported folder, where `name` is a path.
    """
    import mxnet as mx

    from gluon_glore import Network
    from gluon_glore.export import import_model

    if Path(name).is_dir():
        x = exported_pixels(name, batch)
        return import_model(name)[0], mx.nd.array(x, dtype=x.dtype)
    net = Network(network(name))
    net.initialize()
    return net, mx.nd.array(pixels(net.spec, batch))


def write_entry(spec, folder):
    """Write a zoo entry of `spec` with random weights and fitting statistics."""
    import mxnet as mx

    from gluon_glore import Network, save_weights
    from gluon_glore.weights.card import Card
    from gluon_glore.weights.manifest import Manifest, write_manifest

    mx.random.seed(0)
    net = Network(spec)
    net.initialize()
    for name, parameter in net.collect_params().items():
        if name.endswith("gamma"):  # zero behind post-norm units: trained ones are not
            parameter.set_data(mx.nd.ones(parameter.shape))
    for unit in spec.plan():
        if unit.kind == "glore" and unit.arrangement == "pre":
            for row in unit.extensions:
                weight = net.collect_params()[f"{unit.name}_{row.name}__conv_weight"]
                weight.set_data(SMALLER * weight.data())
    settle(net, mx.nd.array(pixels(spec, 4)))
    file = f"{spec.name}-0000.params"
    save_weights(net, Path(folder) / file)
    preprocess = Preprocess.for_size(spec.input_size)
    preprocess = dataclasses.replace(preprocess, mean=(MEAN,) * spec.in_channels)
    manifest = Manifest(
        spec.name,
        tuple(map(str, range(net.classes))),
        preprocess,
        spec=spec,
        card=Card("random"),
    )
    write_manifest(folder, manifest, [file])


def settle(net, x):
    """Set BatchNorm's running statistics to those of the batch `x`.

    Untrained ones (0 and 1) normalise nothing, and the units' triple products overflow.
    """
    from mxnet import autograd
    from mxnet.gluon import nn

    from gluon_glore.layers.basic import momenta

    def set_momenta(values):
        def change(block):
            if isinstance(block, nn.BatchNorm):
                block._kwargs["momentum"] = values[block.running_mean.name]

        net.apply(change)

    kept = momenta(net)
    set_momenta(dict.fromkeys(kept, 0))
    with autograd.record():
        y = net(x)
    y.backward()  # running statistics move in backward
    y.wait_to_read()
    set_momenta(kept)


def write_pictures(file, spec):
    """Write 64 pictures of noise as indexed RecordIO, for exports to be calibrated with.

    Prepared for the network they are what `pixels` returns. The random network's statistics would
    not fit other pictures.
    """
    import mxnet as mx

    rng = np.random.RandomState(1)
    record = mx.recordio.MXIndexedRecordIO(str(Path(file).with_suffix(".idx")), str(file), "w")
    for i in range(64):
        noise = MEAN + rng.normal(size=(256, 256, spec.in_channels)) / Preprocess.scale
        picture = noise.clip(0, 255).astype("uint8")
        record.write_idx(i, mx.recordio.pack_img((0, 0.0, i, 0), picture, quality=95))
    record.close()


def export(entry, folder, precision, calibration, tolerance=None):
    """Export an entry as a user does. Returns why that failed, or None."""
    command = [sys.executable, "-m", "gluon_glore", "export", str(entry), "--out", str(folder)]
    command += ["--onnx", "--precision", precision]
    if precision != "fp32":
        command += ["--calibrate", str(calibration)]
        command += ["--tolerance", str(tolerance)] if tolerance else []
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines() or ["no message"]
    return f"no {precision} export: {lines[-1]}" if done.returncode else None
