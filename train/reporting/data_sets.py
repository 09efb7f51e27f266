"""What a run trains on and is evaluated on, said at its start."""


def describe(datasets):
    """A line of a training and a validation set: what is in each, and where it is from.

    A set says by `contents()` how many samples of how many classes it has; one without is counted.
    """
    parts = (
        f"{use} set: {_contents(dataset)}, {dataset.path}"
        for use, dataset in zip(("training", "validation"), datasets)
    )
    return "; ".join(parts)


def _contents(dataset):
    """How many samples a data set has, in its own words where it has some."""
    return dataset.contents() if hasattr(dataset, "contents") else f"{len(dataset)} samples"
