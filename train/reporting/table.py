"""Runs side by side as a Markdown table: results, and what differs in their configurations."""

from gluon_glore.utils.errors import InputError

from .metrics import TITLES
from .size import run_size


def table(runs):
    """A Markdown table with a column for each `Run`; a dash where something is not known."""
    measured = list(dict.fromkeys(key for run in runs for key in run.metrics.tested))
    columns = [_column(run, measured) for run in runs]
    rows = [["run", *(run.name for run in runs)]]
    rows += [[key, *(column[key] for column in columns)] for key in columns[0]]
    rows += [[f"`{key}`", *map(str, values)] for key, values in differences(runs)]
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def differences(runs):
    """`[(key, [value of each run])]` of the configuration keys that are not alike in all runs."""
    flat = [dict(_flatten(run.config)) for run in runs]
    keys = dict.fromkeys(key for config in flat for key in config if key != "model.name")
    rows = [(key, [config.get(key, "–") for config in flat]) for key in keys]
    return [(key, values) for key, values in rows if any(v != values[0] for v in values)]


def _flatten(config, prefix=""):
    """Yield `(key.key, value)` of nested dictionaries."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _column(run, measured):
    """A run's cells by their line's title."""
    figures, size = run.figures(), _size(run.config)
    shares = {}
    for key in measured:
        best = _percent(figures.get(f"best_{key}"), figures["best_epoch"])
        shares |= {f"{TITLES[key]}, last": _percent(figures.get(key)), f"{TITLES[key]}, best": best}
    return {
        "network": f"`{run.config['model']['name']}`",
        "parameters": f"{size[0] / 1e6:.2f} M" if size else "–",
        "multiply-adds": f"{size[1] / 1e9:.3f} G" if size else "–",
        "epochs": _epochs(run),
        **shares,
        "images/s": _number(figures["images_per_second"]),
        "waiting for input": _percent(figures["waiting"]),
        "seconds": _number(figures["seconds"]),
    }


def _epochs(run):
    """How much of a run is done: epochs, or steps where it has a number of them."""
    optim, done = run.config["optim"], len(run.evaluations)
    whole = f"{done} of {optim['epochs']}"
    if not optim.get("iterations"):
        return whole
    steps = run.steps[-1]["step"] + 1 if run.steps else 0
    return f"{done}, {steps} of {optim['iterations']} steps"


def _size(config):
    """(parameters, multiply-adds) of a run's network, None where it can't be made here."""
    try:
        return run_size(config)
    except InputError:
        return None


def _percent(share, epoch=None):
    """A share in per cent, with its epoch where given; a dash for None."""
    if share is None:
        return "–"
    return f"{100 * share:.2f} %" + (f" (epoch {epoch})" if epoch else "")


def _number(value):
    """A number with one decimal; a dash for None."""
    return "–" if value is None else f"{value:.1f}"
