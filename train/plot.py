"""Pictures of results, drawn without a display."""

from gluon_glore.atomic import atomic_path


def pyplot():
    """matplotlib's pyplot; imported here, for a trainer needs it at its end alone."""
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
    """Loss, accuracy and learning rate by epoch of some `Run`, a colour a run, as PNG.

    Solid lines are evaluations, dashed ones the training pictures as they were trained on.
    """
    figure, (loss, accuracy, rate) = pyplot().subplots(1, 3, figsize=(13, 4), dpi=120)
    for number, run in enumerate(runs):
        colour = f"C{number % 10}"
        trained, tested = run.training_by_epoch(), run.evaluations
        for axes, key, scale in ((loss, "loss", 1), (accuracy, "top1", 100)):
            for rows, style, label in ((tested, ".-", run.name), (trained, ".--", None)):
                epochs = [row["epoch"] + 1 for row in rows]
                values = [scale * row[key] for row in rows]
                axes.plot(epochs, values, style, color=colour, label=label)
        epochs, rates = [row["epoch"] + 1 for row in trained], [row["lr"] for row in trained]
        rate.plot(epochs, rates, ".-", color=colour)
    titles = ("loss", "top-1 accuracy, %", "learning rate, mean of the epoch")
    for axes, title in zip((loss, accuracy, rate), titles):
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    loss.legend(title="tested; dashed: trained on")
    save(figure, path)
