"""Labelled samples of what a network sees, pictures, scenes or videos, and its score on them."""

import dataclasses
from pathlib import Path

from ..data.accuracy import measure_accuracy
from ..data.labelled_pictures import PictureSource, is_packed, pictures_for
from ..data.labelled_scenes import measure_scenes, scene_source, scenes_for
from ..data.labelled_videos import measure_videos, video_source
from ..data.record_chunks import record_files
from ..data.videos import Videos
from ..utils.errors import InputError
from ..utils.files import sha256
from .manifest import clip_of, labels_pixels, spec_of


def open_samples(manifest, source, network=None):
    """The labelled samples of `source` for the network of a `Manifest`.

    What it labels says which: `PictureSamples`, `SceneSamples` or `VideoSamples`. `source` is what
    the `open` of each takes, `network` what a message calls the network (default: the manifest's
    name). They have `len`, `contents()`, which says in words what there is, and `measure(network)`.

    Raises InputError where there is no such set, or its classes are not the network's.
    """
    if clip_of(manifest):
        kind = VideoSamples
    else:
        kind = SceneSamples if labels_pixels(manifest) else PictureSamples
    return kind(manifest, source, network or manifest.model)


class _Samples:
    """Labelled samples, all of a set: `dataset`, found for the network of `manifest`."""

    dataset = None
    training = None  # the source of others to train with, where a set is split

    def __len__(self):
        return len(self.dataset)

    def contents(self):
        """How many samples of how many classes there are, in words."""
        return self.dataset.contents()


class PictureSamples(_Samples):
    """Classified pictures of a `PictureSource`, or a path as `open_pictures` takes it.

    Raises InputError as `pictures_for` does, and for a network of no pictures.
    """

    batch = 32

    def __init__(self, manifest, source, network):
        source = source if isinstance(source, PictureSource) else PictureSource(source)
        spec = spec_of(manifest)
        if spec and spec.ndim != 2:
            raise InputError(f"{manifest.model} takes {spec.ndim} dimensions, pictures have 2")
        self.manifest = manifest
        self.dataset = pictures_for(network, manifest.class_names, source)
        self.title = _title(self.dataset, source.path)

    def measure(self, network, batch=None, threads=2):
        """What a card says of the accuracy: `{"data", "top1", "samples", ...}`.

        `network` maps float32 `(B, C, H, W)`, up to `batch` (32) centre crops, to logits
        `(B, classes)`. `threads` decode. Raises InputError as `measure_accuracy` does.
        """
        preprocess = self.manifest.preprocess
        found = measure_accuracy(
            network, self.dataset, preprocess, batch=batch or self.batch, threads=threads
        )
        size = {"size": list(preprocess.size), "resize": preprocess.resize}
        return _measured(self.title, found, **size)


class SceneSamples(_Samples):
    """Scenes labelled pixel by pixel, of a `SceneSource` or a path as `scene_source` takes it.

    Raises InputError as `scenes_for` does.
    """

    def __init__(self, manifest, source, network):
        source = scene_source(source)
        self.manifest, self.training = manifest, source.training
        self.dataset = scenes_for(network, manifest.class_names, source)
        self.title = f"{source.title} ({len(self.dataset.classes.names)} classes)"

    def measure(self, network, batch=None, threads=2):
        """What a card says of the scores: `{"data", "miou", "accuracy", "samples", ...}`.

        `network` maps float32 `(1, C, H, W)`, a whole scene (whatever the `batch`), to logits
        `(1, classes, H, W)`. `threads` decode. Raises InputError as `measure_scenes` does.
        """
        spec = spec_of(self.manifest)
        exported = self.manifest.deployment is not None  # for sizes of its own
        fits = [spec.check_input] if spec and not exported else []
        preprocess = self.manifest.preprocess
        found = measure_scenes(network, self.dataset, preprocess, *fits, threads=threads)
        return _measured(self.title, found)


class VideoSamples(_Samples):
    """Classified videos of a `VideoSource`, or of a path: a folder, a list or a .rec.

    Raises InputError as `Videos` does.
    """

    batch = 8

    def __init__(self, manifest, source, network):
        source = video_source(source)
        self.manifest = manifest
        self.dataset = Videos(source.path, manifest.class_names, source.root, use="val")
        self.title = _title(self.dataset, source.path)

    def measure(self, network, batch=None, threads=2, clips=10, crops=1):
        """What a card says of the accuracy: `{"data", "top1", "clips", "samples", ...}`.

        `network` maps float32 `(B, C, T, H, W)`, up to `batch` (8) views, to logits
        `(B, classes)`; a video's score is the mean of `clips` clips in `crops` crops each.
        `threads` decode. Raises InputError as `measure_videos` does.
        """
        manifest = self.manifest
        batch = batch or self.batch
        views = manifest.preprocess, clip_of(manifest), clips, crops, batch, threads
        found = measure_videos(network, self.dataset, *views)
        size = {"size": list(manifest.preprocess.size), "resize": manifest.preprocess.resize}
        return _measured(self.title, found, **size)


def _measured(title, found, **how):
    """The figures of a dataclass, those that are none left out, and `how` they were taken."""
    figures = dataclasses.asdict(found)
    (speed,) = (name for name in figures if name.endswith("_per_second"))
    each = round(figures.pop(speed), 2)
    known = {name: value for name, value in figures.items() if value is not None}
    return {"data": title, **known, **how, speed: each}


def _title(dataset, source):
    """What a card calls a set of files: where they lie, and which they are."""
    path, which = Path(dataset.path).absolute(), dataset.contents()
    if is_packed(source):
        which = f"sha256 {', '.join(sha256(file)[:8] for file in record_files(source))}"
    return f"{path.parent.name}/{path.name} ({which})"
