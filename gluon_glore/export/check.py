"""Check of an exported folder: its files are the manifest's, the runtimes here agree on it."""

from ..utils.errors import InputError, listed
from ..weights.card import in_percent, measured_words
from ..weights.golden import GOLDEN, read_golden
from .files import read_files
from .runtimes import RUNTIMES, lack
from .trial import refuse_records, trials, trials_here

# Names of scores in what is returned, and in what was measured; "accuracy" of pixels or samples.
_SCORES = (("miou", "miou"), ("accuracy", "accuracy"), ("accuracy", "top1"))


def check(folder, data=None, apart=True):
    """Verify the files of an exported folder and run its golden pair through every runtime.

    With `data`, labelled samples as `open_samples` takes them, also its score on them. Prints a
    line a runtime. The runtimes run in a process of their own, with limits of time and memory: what
    they die of is told. With `apart` False they run in this one, which need not load them again:
    for folders that you trust. Returns {runtime: {"error", "top1_agreement", "accuracy"}}, of
    pixels "miou" too. Raises InputError where a file is missing, damaged or not the manifest's, no
    runtime is there, one fails or disagrees, or `data` can't be used.
    """
    files = read_files(folder)
    _refuse_pair(files)
    if data:
        refuse_records(data, files.manifest)
    names = [name for name in RUNTIMES if not lack(files, name)]
    for name in RUNTIMES:
        if name not in names:
            print(f"{name:12} not run: {lack(files, name)}")
    if not names:
        raise InputError(f"{folder}: nothing that runs it is installed")
    figures, problems = {}, []
    for name, found, problem in (trials if apart else trials_here)(files, names, data):
        figures[name] = found
        line, wrong = _judged(found, problem, files.manifest.deployment.tolerance)
        print(f"{name:12} {line}")
        if wrong:
            problems.append(f"{name} {wrong}")
        elif "measured" in found:
            measured = found.pop("measured")
            print(f"{'':12} {measured_words(measured, in_percent)}")
            found.update({name: measured[top] for name, top in _SCORES if top in measured})
    if problems:
        raise InputError(f"{folder}: {listed(problems)}")
    return figures


def _judged(figures, problem, tolerance):
    """(what is printed of a runtime, the clause of the error about it or "")."""
    if problem:
        return f"FAILS: {problem}", "fails"
    error = figures["error"]
    agrees = error <= tolerance
    line = (
        f"{'agrees' if agrees else 'DISAGREES'}: differs by {error:.1e} of the largest logit, "
        f"{tolerance:.1e} allowed"
    )
    return line, "" if agrees else "gives other outputs than the golden pair"


def _refuse_pair(files):
    """Raise InputError where a folder has no golden pair, or one of another network."""
    if not files.has(files.folder / GOLDEN):
        raise InputError(f"{files.folder}: no {GOLDEN} in its manifest")
    x, expected = read_golden(files.folder)
    accepted = files.manifest.deployment.accepts(x)
    if not accepted or expected.shape != files.output_shape(x.shape):
        raise InputError(f"{files.folder / GOLDEN}: {x.shape} -> {expected.shape} do not fit")
