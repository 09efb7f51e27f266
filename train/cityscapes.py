"""Train a segmentation network, on Cityscapes' folders or any other, on one process or Horovod.

    horovodrun -np N python -m train.cityscapes --config FILE --out DIR [--resume] [--set key=value]

`train.engine.trainer` says what is written to DIR. Each epoch ends with an evaluation of whole
scenes; `python -m train.evaluate_segmentation DIR` scores a run on its own set, and
`python -m train.evaluate_cityscapes DIR` with Cityscapes' own evaluator. A config's header says
where its numbers are from.
"""

import dataclasses
import sys
import time

import mxnet as mx
import numpy as np

from gluon_glore.data.confusion import Confusion
from gluon_glore.data.image import Preprocess
from gluon_glore.data.records import BadRecord
from gluon_glore.data.scenes import Scenes, check_scenes, layout_of
from gluon_glore.layers.basic import all_frozen
from gluon_glore.layers.fcn_head import WithAuxiliary
from gluon_glore.networks.network import Network
from gluon_glore.networks.paper import get_spec
from gluon_glore.networks.registry import unregistered
from gluon_glore.utils.ahead import ordered_map
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.manifest import Manifest

from .config.cityscapes import SceneConfig
from .config.network import add_units
from .data import batches
from .data.scene_augment import augment_scene
from .engine import trainer
from .engine.loop import Meter
from .engine.pixel_loss import PixelLoss, pixel_accuracy
from .engine.pretrained import load_pretrained, starting_spec
from .engine.step import make_step
from .engine.sync_norm import Synchronized
from .reporting.metrics import SEGMENTATION

AHEAD = 4  # scenes decoded while the network computes


class Segmentation:
    """One label a pixel: a `train.engine.task.Task`."""

    prog = "python -m train.cityscapes"
    description = "Train a segmentation network; under horovodrun on several processes."
    config_class = SceneConfig
    metrics = SEGMENTATION
    accuracy = staticmethod(pixel_accuracy)

    def prepare(self, config, comm):
        """The network, and (training, validation) sets. Raises InputError."""
        data = config.data
        layout = layout_of(data)
        net = make_network(config, len(layout.classes.names))
        datasets = [Scenes(data.root, split, layout=layout) for split in (data.train, data.val)]
        if comm.rank == 0:
            for scenes in datasets:
                check_scenes(scenes, data.max_bad)
        return net, datasets

    def manifest(self, config, net):
        """What the checkpoints say of the network."""
        spec = unregistered(net.spec, config.model.name)
        names = layout_of(config.data).classes.names
        return Manifest(config.model.name, names, make_preprocess(config.data), spec=spec)

    def load_weights(self, config, net):
        """Fill the network, of a classification network's weights the backbone."""
        return load_pretrained(net, config.model, make_preprocess(config.data))

    def make_step(self, config, net, comm):
        """The step; it trains another graph where BatchNorm or the heads differ in training."""
        graph = WithAuxiliary(net) if config.loss.auxiliary else None
        if graph:
            graph.hybridize(static_alloc=True, static_shape=True)
        if config.model.sync_norm and comm.size > 1 and not all_frozen(net):
            graph = Synchronized(graph or net, comm)
        return make_step(config, net, comm, loss=PixelLoss(**vars(config.loss)), graph=graph)

    def training_batches(self, dataset, bad, config, epoch, rank, ranks, start=0):
        """Yield `(pixels (b, 3, H, W), train ids uint8 (b, H, W))` of one rank from `start` on."""
        data = config.data
        normalize = make_preprocess(data).normalize
        fill = tuple(round(mean) for mean in data.mean)

        def view(index, rng, out):
            picture, label = augment_scene(*dataset[index], data.size, config.augment, rng, fill)
            normalize(picture, out)
            return label

        shape = (3, *data.size)
        return batches.training_batches(
            dataset, bad, view, shape, config, epoch, rank, ranks, start
        )

    def evaluate(self, net, dataset, bad, config, comm, ctx, stop):
        """Mean IoU and loss of whole scenes over all ranks, of some of them once `stop()` holds.

        Raises InputError where no pixel of them has a label.
        """
        data, loss = config.data, PixelLoss()
        normalize = make_preprocess(data).normalize
        confusion, losses, count, started = Confusion(net.classes), 0.0, 0, time.perf_counter()
        scenes = scenes_in_turn(dataset, bad, data.threads, comm.rank, comm.size, stop)
        for picture, label in scenes:
            logits = net(mx.nd.array(normalize(picture)[None], ctx=ctx))
            logits = logits.astype("float32", copy=False)
            losses += float(loss(logits, mx.nd.array(label[None], ctx=ctx)).asscalar())
            confusion.add(logits.argmax(axis=1)[0].asnumpy().astype(np.uint8), label)
            count += 1
        *matrix, losses, count = comm.sum([*confusion.matrix.ravel(), losses, count])
        confusion.matrix[:] = np.reshape(matrix, confusion.matrix.shape)
        if count and not confusion.matrix.any():  # alike on all ranks
            raise InputError(f"{dataset.path}: no labelled pixel in it")
        figures = {"miou": confusion.miou(), "accuracy": confusion.accuracy()}
        mean = losses / max(1, count)  # none where it is stopped at once
        return Meter(mean, int(count), time.perf_counter() - started, figures)


def make_preprocess(data) -> Preprocess:
    """The preprocessing of a `SceneData` section: normalized, neither resized nor cropped."""
    return Preprocess(data.size, resize=0, mean=data.mean, scale=data.scale)


def make_network(config, classes) -> Network:
    """The network of so many classes, with an auxiliary head where the loss has one.

    Raises InputError where the configuration's network labels no pixels, or data.size is too small.
    """
    spec = add_units(get_spec(config.model.name), config.model.units)
    if spec.head is None:
        raise InputError(
            f"config key model.name: {spec.name} classifies pictures, not their pixels"
        )
    if config.loss.auxiliary:
        head = dataclasses.replace(spec.head, auxiliary=len(spec.stages))
        spec = dataclasses.replace(spec, head=head)
    spec = starting_spec(config.model, spec)
    spec.check_input(config.data.size)
    return Network(spec, classes)


def scenes_in_turn(dataset, bad, threads, rank, ranks, stop):
    """Yield one rank's scenes, `(picture, train ids)` of any size, decoded ahead by threads.

    Over all ranks each comes exactly once. Bad ones are left out; after the last `bad.known` has
    them. Ends where `stop()` holds, on this rank alone. Raises InputError, after the last, where
    more are bad than allowed.
    """

    def attempt(index):
        try:
            return dataset[index]
        except BadRecord as error:
            bad.meet(index, error)

    mine, found_bad = range(rank, len(dataset), ranks), np.zeros(len(dataset))
    for index, scene in zip(mine, ordered_map(attempt, mine, threads, AHEAD)):
        if stop():
            break
        if scene is None:
            found_bad[index] = 1
        else:
            yield scene
    bad.agree(np.arange(len(dataset)), found_bad, attempt)


def main(argv=None):
    """Train as the command line says; returns the exit code, see `train.engine.trainer`."""
    return trainer.run(Segmentation(), argv)


if __name__ == "__main__":
    sys.exit(main())
