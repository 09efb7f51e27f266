"""An entry of the model zoo: a folder with parameters, manifest, golden numbers and a model card.

`NAME-0000.params`, `golden.npz` (seed and shape of a normal input, and the logits it gave),
`README.md` (the card) and what was published with it, all under the checksums of `manifest.yaml`.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from ..networks.registry import check_name
from ..utils.errors import InputError, naming
from ..utils.files import is_taken, new_folder, write_text
from ..weights.golden import (
    BATCH,
    GOLDEN,
    compare_logits,
    noise,
    read_golden,
    write_seeded_golden,
)
from ..weights.labelled_samples import open_samples
from ..weights.manifest import (
    MANIFEST,
    clip_of,
    params_of,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from ..weights.names import with_kinds
from ..weights.params_file import write_params
from .readme import CARD, readme
from .run_network import network_function

SIDE = 64  # pixels of the golden input of a network of pixels


def write_entry(directory, manifest, arrays, extra_files=(), dtype="float32"):
    """Write an entry, the whole folder or nothing; returns it.

    `manifest` has spec and card; `arrays` are the parameters by their full names, saved as `dtype`
    ("float16" halves the file; the golden numbers are those of the parameters as `saved_as` it);
    `extra_files` are copied in. Where a manifest of a network of videos has no clips, they are the
    paper's, and a note on the card says so. Raises InputError where `directory` is not empty or
    can't be written, the parameters are not the network's, or it takes no such clips.
    """
    directory = Path(directory)
    check_name(manifest.model)
    spec = dataclasses.replace(
        manifest.spec, name=manifest.model, classes=len(manifest.class_names)
    )
    manifest = _with_clip(dataclasses.replace(manifest, spec=spec))
    if is_taken(directory):
        raise InputError(f"{directory}: not an empty folder")
    with new_folder(directory) as folder:
        params = f"{manifest.model}-0000.params"
        arrays = {name: saved_as(array, dtype) for name, array in arrays.items()}
        write_params(folder / params, with_kinds(arrays))
        _write_golden(folder, spec, folder / params)
        for file in extra_files:
            shutil.copy(file, folder)
        files = sorted(path.name for path in folder.iterdir())
        write_manifest(folder, manifest, files)
        write_text(folder / CARD, readme(parse_manifest(folder / MANIFEST)))
    return directory


def saved_as(array, dtype):
    """An array as `dtype`; as it is where float16 can't hold one of its numbers, as 1e5."""
    array = np.asarray(array)
    with np.errstate(over="ignore"):
        saved = array.astype(dtype)
    return saved if np.isfinite(saved).all() else array


def _with_clip(manifest):
    """A manifest that says the clips of a network of videos. Raises InputError for another's."""
    clip, spec = manifest.clip or clip_of(manifest), manifest.spec
    if clip and spec.ndim != 3:
        raise InputError(f"{manifest.model} takes {spec.ndim} dimensions, clips have 3")
    if clip == manifest.clip:
        spec.check_input((clip.frames, *spec.input_size[1:]) if clip else spec.input_size)
        return manifest
    note = f"nothing says which frames of a video it sees, taken are the paper's: {clip.text}"
    card = dataclasses.replace(manifest.card, notes=(*manifest.card.notes, note))
    return dataclasses.replace(manifest, clip=clip, card=card)


def golden_input(spec):
    """The input of an entry's golden numbers: a normal batch `(2, C, *input_size)`.

    Of a network of pixels it has at most `SIDE` pixels a side, as it has a logit for each of them
    and each class: of Cityscapes' 768 x 768 they would be 90 MB.
    """
    size = spec.input_size
    if spec.head:
        size = tuple(min(n, max(SIDE, least)) for n, least in zip(size, spec.total_stride))
    return noise((BATCH, spec.in_channels, *size))


def _write_golden(folder, spec, params):
    """Write the golden numbers of saved parameters. Raises InputError where one is not finite."""
    x = golden_input(spec)
    logits = network_function(spec, spec.classes, params)(x)
    if not np.isfinite(logits).all():
        raise InputError(f"{spec.name}: with these weights its logits are not finite")
    write_seeded_golden(folder, x.shape, logits)


def check_golden(folder):
    """Run an entry on its golden input: the largest difference, as a share of their deviation.

    Raises InputError where its files are damaged or the logits differ by more than `TOLERANCE`.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest.spec is None or GOLDEN not in manifest.sha256:
        raise InputError(f"{folder}: no golden numbers in it")
    x, expected = read_golden(folder)
    network = _network_of(folder, manifest)
    return compare_logits(network(x), expected, folder)


def _network_of(folder, manifest, fast=False):
    """The network of a folder as `network_function` gives it."""
    params, classes = params_of(folder, manifest), len(manifest.class_names)
    return network_function(manifest.spec, classes, params, fast)


def measure(folder, data, batch=None, threads=2):
    """What an entry reaches on labelled `data`, as its card says it.

    `data` is what `open_samples` takes for such a network: pictures, scenes or videos, each seen
    once, `batch` pictures or clips at a time (default: 32, 8), decoded by `threads`. Pictures are
    seen as evaluation prepared them in training, scenes whole, videos by the mean of 10 clips.
    Raises InputError where either can't be used.
    """
    manifest = read_manifest(folder)
    clip, size = clip_of(manifest), manifest.preprocess.size
    if not manifest.spec.head:  # whose scenes have sizes of their own
        manifest.spec.check_input((clip.frames, *size) if clip else size)
    with naming(folder):
        samples = open_samples(manifest, data, folder)
        return samples.measure(_network_of(folder, manifest, fast=True), batch, threads)


def add_measurement(folder, measured):
    """Write what `measure` returned into an entry's manifest and card."""
    manifest = read_manifest(folder)
    card = dataclasses.replace(manifest.card, measured=measured)
    manifest = dataclasses.replace(manifest, card=card, score=card.score)
    write_manifest(folder, manifest, list(manifest.sha256))
    write_text(Path(folder) / CARD, readme(manifest))
