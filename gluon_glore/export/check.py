"""Is an exported folder what its manifest says, and do the runtimes here agree on it?"""

from ..utils.errors import InputError, listed
from ..weights.manifest import labels_pixels
from .calibration import BATCH, Pictures, in_batches
from .files import read_files
from .golden import GOLDEN, read_golden, relative_error, top1_agreement
from .runtimes import RUNTIMES, lack, start_runtime

AT_ONCE = 16 * BATCH  # pictures in memory


def check(folder, data=None):
    """Verify the files of an exported folder and run its golden pair through every runtime.

    With `data`, indexed RecordIO, also its accuracy on that. Prints a line a runtime.
    Returns {runtime: {"error", "top1_agreement", "accuracy"}}. Raises InputError where a file is
    missing, damaged or not the manifest's, a runtime disagrees, or `data` can't be used.
    """
    files = read_files(folder)
    if not files.has(files.folder / GOLDEN):
        raise InputError(f"{folder}: no {GOLDEN} in its manifest")
    x, expected = read_golden(files.folder)
    deployment = files.manifest.deployment
    outputs = (len(x), len(files.manifest.class_names))
    if labels_pixels(files.manifest):
        outputs += tuple(n for n, axis in zip(x.shape, deployment.layout) if axis in "HW")
    if not deployment.accepts(x) or expected.shape != outputs:
        raise InputError(f"{files.folder / GOLDEN}: {x.shape} -> {expected.shape} do not fit")
    pictures = Pictures(data, files.manifest) if data else None
    figures, disagree = {}, []
    for name in RUNTIMES:
        if lack(files, name):
            print(f"{name:12} not run: {lack(files, name)}")
            continue
        network = start_runtime(files, name)
        logits = network(x)
        error = relative_error(logits, expected)
        figures[name] = {"error": error, "top1_agreement": top1_agreement(logits, expected)}
        agrees = error <= deployment.tolerance
        print(
            f"{name:12} {'agrees' if agrees else 'DISAGREES'}: differs by {error:.1e} of the "
            f"largest logit, {deployment.tolerance:.1e} allowed"
        )
        if not agrees:
            disagree.append(name)
        if pictures:
            figures[name]["accuracy"] = accuracy(network, pictures)
            share = f"{figures[name]['accuracy']:.2%}".replace("%", " %")
            print(f"{'':12} top-1 {share} on {len(pictures)} pictures")
    if disagree:
        raise InputError(f"{folder}: {listed(disagree)} gives other outputs than the golden pair")
    return figures


def accuracy(network, pictures):
    """The share of the pictures whose likeliest class is their label."""
    right = 0
    for start in range(0, len(pictures), AT_ONCE):
        inputs, labels = pictures.read(range(start, min(start + AT_ONCE, len(pictures))))
        right += int((in_batches(network, inputs).argmax(axis=1) == labels).sum())
    return right / len(pictures)
