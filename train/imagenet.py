"""Train a classification network on labelled pictures, files or records; alone or with Horovod.

    horovodrun -np N python -m train.imagenet --config FILE --out DIR [--resume] [--set key=value]

`train.engine.trainer` says what is written to DIR. A config's header says where its numbers are
from.
"""

import functools
import sys

from gluon_glore.data.image import decode_image
from gluon_glore.networks.network import Network
from gluon_glore.networks.registry import unregistered
from gluon_glore.weights.manifest import Manifest

from .config.sections import Config
from .data import pictures
from .data.packing_advice import packing_advice
from .data.picture_names import check_names, class_names
from .data.picture_sets import open_sets
from .engine import loop, trainer
from .engine.preflight import check_channels
from .engine.pretrained import load_pretrained, starting_spec
from .engine.step import make_step
from .reporting.metrics import CLASSIFICATION


class Classification:
    """One label a picture: a `train.engine.task.Task`."""

    prog = "python -m train.imagenet"
    description = "Train a classification network; under horovodrun on several processes."
    config_class = Config
    metrics = CLASSIFICATION
    make_step = staticmethod(make_step)
    training_batches = staticmethod(pictures.training_batches)
    accuracy = staticmethod(loop.top1)
    _names = None  # of the training set, for a task whose data are others

    def prepare(self, config, comm):
        """The network, and (training, validation) sets. Raises InputError."""
        config, self._names, *datasets = open_sets(config)
        net = self.make_network(config)
        if comm.rank == 0:
            check_names(config.data, config.model.classes, self._names)
            preprocess = pictures.make_preprocess(config.data)
            decode = functools.partial(decode_image, channels=preprocess.channels)
            pictures.check_records(datasets[0], decode, config.data.max_bad)
            pictures.check_records(
                datasets[1], lambda data: preprocess(decode(data)), config.data.max_bad
            )
            data = config.data
            files = datasets[0] if datasets[0].paths else None
            advice = files and packing_advice(files, data.size, preprocess.channels, data.root)
            if advice:
                print(advice, file=sys.stderr, flush=True)
        return net, datasets

    def make_network(self, config):
        """The network, not initialised. Raises InputError."""
        net = make_network(config.model)
        check_channels(net.spec, config.data)
        return net

    def manifest(self, config, net):
        """What the checkpoints say of the network."""
        return Manifest(
            config.model.name,
            tuple(self._names or class_names(config.data.class_names, config.model.classes)),
            pictures.make_preprocess(config.data),
            spec=unregistered(net.spec, config.model.name),
        )

    def load_weights(self, config, net):
        """Fill the network, see `load_pretrained`."""
        return load_pretrained(net, config.model, pictures.make_preprocess(config.data))

    def evaluate(self, net, dataset, bad, config, comm, ctx, stop):
        """Evaluate over all ranks, a part of the set once `stop()` holds."""
        batches = pictures.evaluation_batches(dataset, bad, config, comm.rank, comm.size, stop)
        return loop.evaluate(net, batches, comm, ctx)


def make_network(model):
    """The network of a `model` section, as `starting_spec` has it. Raises InputError."""
    return Network(starting_spec(model), model.classes)


def main(argv=None):
    """Train as the command line says; returns the exit code, see `train.engine.trainer`."""
    return trainer.run(Classification(), argv)


if __name__ == "__main__":
    sys.exit(main())
