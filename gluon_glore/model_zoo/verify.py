"""Verification of weights: checksums, golden numbers, accuracy."""

from pathlib import Path

from ..utils.errors import InputError
from ..weights.card import measured_words
from ..weights.manifest import read_manifest
from .entry import check_golden, measure
from .find_weights import find_weights


def verify(model, weights=None, data=None, batch=None):
    """Check a zoo entry, and print a line for each check that it passed.

    `model` is a network's name, with `weights` as `get_model` takes them (default: the
    catalogue's), or an entry's folder. With labelled `data` its score is measured, as `measure`
    does with that `batch`. Returns what was measured, or None. Raises InputError at the first check
    that fails.
    """
    folder = Path(model)
    if folder.is_dir():
        if weights:
            raise InputError(f"{model} holds its own weights, give no others")
    else:
        found = find_weights(model, weights or True)
        if found.manifest is None or found.manifest.card is None:
            raise InputError(f"{found.params}: no zoo entry, nothing says what it should give")
        folder = found.params.parent
    manifest = read_manifest(folder)
    for name, digest in manifest.sha256.items():
        print(f"{name}: sha256 {digest[:8]}, as recorded")
    print(f"golden numbers: logits differ by {check_golden(folder):.1e} of their deviation")
    if manifest.card:
        print(f"claimed: {manifest.card.claimed}; measured before: {manifest.card.measured_text}")
    if data is None:
        return None
    measured = measure(folder, data, batch)
    (speed,) = (name for name in measured if name.endswith("_per_second"))
    told = measured_words(measured, "{:.4f}".format)
    print(f"measured: {told}, {measured[speed]} {speed.replace('_per_second', '/s')}")
    return measured
