"""Train an action recognition network on labelled videos, on one process or Horovod.

    horovodrun -np N python -m train.kinetics --config FILE --out DIR [--resume] [--set key=value]

`train.engine.trainer` says what is written to DIR. A sample is one clip of a video: in training at
a random time, in the evaluation at an epoch's end the centre crop of the centre clip. `python -m
train.evaluate_kinetics DIR` scores whole videos. A config's header says where its numbers are from.
"""

import sys

from gluon_glore.data.class_names import read_classes
from gluon_glore.data.clips import crop_views, read_views
from gluon_glore.data.videos import Videos, check_videos
from gluon_glore.networks.network import Network
from gluon_glore.networks.registry import unregistered
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.manifest import Manifest

from .config.kinetics import VideoConfig
from .config.network import model_spec
from .data import batches
from .data.class_count import count_classes
from .data.clip_augment import augment_clip
from .data.missing_files import check_missing
from .data.pictures import make_preprocess
from .engine import loop, trainer
from .engine.preflight import check_channels
from .engine.pretrained import load_pretrained, starting_spec
from .engine.step import make_step
from .reporting.metrics import CLASSIFICATION


class Recognition:
    """One label a video: a `train.engine.task.Task`."""

    prog = "python -m train.kinetics"
    description = "Train an action recognition network; under horovodrun on several processes."
    config_class = VideoConfig
    metrics = CLASSIFICATION
    make_step = staticmethod(make_step)
    accuracy = staticmethod(loop.top1)

    def prepare(self, config, comm):
        """The network, and (training, validation) sets. Raises InputError."""
        datasets = load_data(config)
        self._class_names = datasets[0].class_names
        config = count_classes(config, self._class_names, datasets[0].path)
        net = make_network(config, starting_spec(config.model))
        if comm.rank == 0:
            preprocess, max_bad = make_preprocess(config.data), config.data.max_bad
            missing = [check_missing(v.path, v.paths, max_bad, "video") for v in datasets]
            check_videos(datasets[0], max_bad, missing=missing[0])
            check_videos(
                datasets[1], max_bad, lambda frame: crop_views(frame, preprocess), missing[1]
            )
        return net, datasets

    def manifest(self, config, net):
        """What the checkpoints say of the network."""
        return Manifest(
            config.model.name,
            self._class_names,
            make_preprocess(config.data),
            spec=unregistered(net.spec, config.model.name),
            clip=config.clip,
        )

    def load_weights(self, config, net):
        """Fill the network, see `load_pretrained`."""
        return load_pretrained(net, config.model, make_preprocess(config.data))

    def training_batches(self, dataset, bad, config, epoch, rank, ranks, start=0):
        """Yield `(clips (b, C, T, H, W), labels (b,))` of one rank from step `start` on."""
        preprocess, clip = make_preprocess(config.data), config.clip

        def view(index, rng, out):
            with dataset.open(index) as video:
                begin = clip.random_start(len(video), video.rate, rng)
                places = clip.indices(begin, len(video), video.rate)
                frames = video.read(places, preprocess.channels)
            frames = augment_clip(frames, preprocess.size, config.augment, rng)
            for t, frame in enumerate(frames):
                preprocess.normalize(frame, out[:, t])
            return dataset.label(index)

        shape = clip_shape(config)
        return batches.training_batches(
            dataset, bad, view, shape, config, epoch, rank, ranks, start
        )

    def evaluate(self, net, dataset, bad, config, comm, ctx, stop):
        """Evaluate centre clips over all ranks, a part of them once `stop()` holds."""
        loaded = views_in_turn(dataset, bad, config, comm.rank, comm.size, stop=stop)
        return loop.evaluate(net, ((x[:, 0], y) for x, y in loaded), comm, ctx)


def clip_shape(config):
    """(channels, frames, height, width) of a `VideoConfig`'s clips."""
    return (len(config.data.mean), config.clip.frames, *config.data.size)


def views_in_turn(dataset, bad, config, rank, ranks, clips=1, crops=1, stop=lambda: False):
    """Yield one rank's `(views (b, clips * crops, C, T, H, W), labels (b,))`, each video once.

    The clips of an evaluation: `clips` evenly in time, a single one at the centre, each in `crops`
    crops. Ends after the batch at which `stop()` holds. Raises InputError, after the last, where
    more videos are bad than allowed.
    """
    preprocess, clip = make_preprocess(config.data), config.clip

    def view(index, out):
        with dataset.open(index) as video:
            starts = clip.even_starts(clips, len(video), video.rate)
            read_views(video, clip, preprocess, starts, crops, out)
        return dataset.label(index)

    shape = (clips * crops, *clip_shape(config))
    return batches.evaluation_batches(dataset, bad, view, shape, config, rank, ranks, stop)


def make_network(config, spec=None):
    """The network of a configuration, or of `spec`, its own as the weights to start from make it.

    Raises InputError where it does not take the configuration's clips.
    """
    spec = spec or model_spec(config.model)
    if spec.ndim != 3:
        raise InputError(
            f"config key model.name: {spec.name} takes {spec.ndim} dimensions, clips have 3"
        )
    check_channels(spec, config.data)
    spec.check_input((config.clip.frames, *config.data.size))
    return Network(spec, config.model.classes)


def load_data(config):
    """Training and validation sets, of the same classes. Raises InputError."""
    data = config.data
    names = read_classes(data.class_names) if data.class_names else None
    training = Videos(data.train, names, data.root)
    return training, Videos(data.val, training.class_names, data.root, use="val")


def main(argv=None):
    """Train as the command line says; returns the exit code, see `train.engine.trainer`."""
    return trainer.run(Recognition(), argv)


if __name__ == "__main__":
    sys.exit(main())
