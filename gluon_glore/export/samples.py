"""Labelled samples as an exported network takes them: one at a time, or all of them to score it."""

from dataclasses import replace

import numpy as np

from ..data.accuracy import read_input
from ..data.cityscapes import IGNORE
from ..data.records import BadRecord
from ..utils.errors import InputError
from ..weights.labelled_samples import SceneSamples, VideoSamples
from ..weights.manifest import clip_of, labels_pixels
from .inputs import clip_input, takes_pictures, unchanged, window_input
from .windows import sliding_logits

BATCH = 8
SEED = 7  # of the places of windows


def with_own_pixels(network, manifest, batch):
    """(network, manifest) of an exported one, to be measured as one of prepared pixels is.

    What is returned takes float32 `(B, C, ...)` as the returned manifest's `preprocess` makes it:
    of scenes one whole, which windows of the exported size then slide over. The given `network` is
    called with batches of its own input, `batch` at a time.
    """
    deployment = manifest.deployment
    if not (labels_pixels(manifest) or deployment.takes_pictures):
        return lambda x: in_batches(network, x, batch), manifest

    def run(x):
        pixels = np.moveaxis(x.astype(np.uint8), 1, -1)
        if labels_pixels(manifest):
            return np.stack([sliding_logits(network, manifest, picture) for picture in pixels])
        return in_batches(network, deployment.laid_out(pixels), batch)

    return run, replace(manifest, preprocess=unchanged(manifest.preprocess))


def samples_as_inputs(samples, manifest):
    """`weights.labelled_samples` as what `Pictures`, `Windows` or `Clips` makes of them."""
    kinds = {SceneSamples: Windows, VideoSamples: Clips}
    return kinds.get(type(samples), Pictures)(samples.dataset, manifest)


class _Inputs:
    """`inputs[i]` -> (one input of a network, its label), numpy arrays both.

    Raises InputError, naming the sample, where it can't be used. `kind` is what they are called.
    """

    kind = ""

    def __init__(self, dataset, manifest):
        self._dataset, self._manifest = dataset, manifest

    def __len__(self):
        return len(self._dataset)


class Pictures(_Inputs):
    """Of classified pictures the crop that evaluation sees."""

    kind = "pictures"

    def __getitem__(self, i):
        pictures = takes_pictures(self._manifest)
        x, label = read_input(self._dataset, i, self._manifest.preprocess, not pictures)
        return (self._manifest.deployment.laid_out(x) if pictures else x), np.array(label)


class Windows(_Inputs):
    """Of scenes a window of the network's size at a random place, always the same."""

    kind = "windows"

    def __getitem__(self, i):
        picture, label = self._dataset[i]
        size = tuple(self._manifest.preprocess.size)
        room = [max(0, n - m) for n, m in zip(label.shape, size)]
        top, left = np.random.RandomState([SEED, i]).randint(0, np.add(room, 1))
        part = label[top : top + size[0], left : left + size[1]]
        ids = np.full(size, IGNORE, np.uint8)  # outside of the scene
        ids[: part.shape[0], : part.shape[1]] = part
        return window_input(self._manifest, picture, (top, left), size), ids


class Clips(_Inputs):
    """Of videos the clip in their middle, its centre crop."""

    kind = "clips"

    def __getitem__(self, i):
        """One clip and its video's label. Raises InputError where the video can't be used."""
        clip = clip_of(self._manifest)
        try:
            label = self._dataset.label(i)
            with self._dataset.open(i) as video:
                starts = clip.even_starts(1, len(video), video.rate)
                return clip_input(self._manifest, clip, video, starts)[0], np.array(label)
        except BadRecord:
            raise
        except InputError as error:
            raise InputError(f"{self._dataset.name(i)}: {error}") from None


def in_batches(network, inputs, size=BATCH):
    """The outputs of `network` for all `inputs`, run in batches of one size."""
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
    missing = size - len(batches[-1])  # filled up, so that nothing is compiled for a last batch
    batches[-1] = np.concatenate([batches[-1], batches[-1][:1].repeat(missing, axis=0)])
    return np.concatenate([network(batch) for batch in batches])[: len(inputs)]
