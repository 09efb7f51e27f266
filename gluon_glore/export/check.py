"""Check of an exported folder: its files are the manifest's, the runtimes here agree on it."""

import functools

from ..utils.errors import InputError, listed
from ..weights.golden import GOLDEN, read_golden, relative_error, top1_agreement
from ..weights.manifest import labels_pixels
from .files import read_files
from .runtimes import RUNTIMES, lack, start_runtime


def check(folder, data=None):
    """Verify the files of an exported folder and run its golden pair through every runtime.

    With `data`, indexed RecordIO, also its accuracy on that. Prints a line a runtime.
    Returns {runtime: {"error", "top1_agreement", "accuracy"}}. Raises InputError where a file is
    missing, damaged or not the manifest's, no runtime is there or one disagrees, or `data` can't be
    used.
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
    measure = _accuracy_on(data, files.manifest) if data else None
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
        if measure:
            found = measure(network)
            figures[name]["accuracy"] = found.top1
            share = f"{found.top1:.2%}".replace("%", " %")
            print(f"{'':12} top-1 {share} on {found.samples} pictures")
    if not figures:
        raise InputError(f"{folder}: nothing that runs it is installed")
    if disagree:
        raise InputError(f"{folder}: {listed(disagree)} gives other outputs than the golden pair")
    return figures


def _accuracy_on(data, manifest):
    """A function from a runtime to its `Accuracy` on the pictures in `data`, indexed RecordIO."""
    # Imported here, for reading records takes MXNet, and checking a folder does not.
    from ..data.accuracy import measure_accuracy
    from .calibration import BATCH, in_batches, open_records

    records = open_records(data, manifest)
    return lambda network: measure_accuracy(
        functools.partial(in_batches, network),
        records,
        manifest.preprocess,
        normalized=not manifest.deployment.takes_pictures,
        batch=BATCH,
    )
