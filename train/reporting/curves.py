"""Curves of runs as a picture, drawn without a display."""

from gluon_glore.utils.extras import require
from gluon_glore.utils.files import atomic_path

from .metrics import TITLES


def pyplot():
    """matplotlib's pyplot without a display. Raises InputError where it is not installed.

    Imported here, because a trainer needs it at its end alone.
    """
    require("matplotlib", "train")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot


def save(figure, path):
    """Write a figure as PNG, the whole file or none, and close it."""
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    pyplot().close(figure)


def draw_curves(runs, path):
    """Draw loss, figures and learning rate of each `Run` by epoch, a colour a run, as PNG.

    Solid lines are evaluations, dashed ones means over the training steps.
    """
    of_all = (run.metrics for run in runs)
    measured = dict.fromkeys(key for m in of_all for key in (m.score, m.trained))
    columns = [("loss", 1, "loss"), *((key, 100, f"{TITLES[key]}, %") for key in measured)]
    columns.append(("lr", 1, "learning rate, mean of the epoch"))
    size = (13 / 3 * len(columns), 4)
    figure, panels = pyplot().subplots(1, len(columns), figsize=size, dpi=120)
    for number, run in enumerate(runs):
        lines = ((run.evaluations, ".-", run.name), (run.training_by_epoch(), ".--", None))
        for axes, (key, scale, _) in zip(panels, columns):
            for rows, style, label in lines:
                known = [row for row in rows if key in row]
                epochs = [row["epoch"] + 1 for row in known]
                values = [scale * row[key] for row in known]
                axes.plot(epochs, values, style, color=f"C{number % 10}", label=label)
    for axes, (_, _, title) in zip(panels, columns):
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].legend(title="tested; dashed: trained on")
    save(figure, path)
