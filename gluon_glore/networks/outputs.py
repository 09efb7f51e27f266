"""What a network gives, which may be lists in lists, as one list."""


def flat(outputs):
    """The outputs of a block, arrays or symbols, in order: a list."""
    if isinstance(outputs, (list, tuple)):
        return [output for part in outputs for output in flat(part)]
    return [outputs]
