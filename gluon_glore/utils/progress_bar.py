"""A progress bar on a terminal, a line now and then elsewhere."""

import sys

from tqdm import tqdm


class Lines:
    """A stream for a bar where there is no terminal: each state is a line of its own."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Write a state of the bar as a line; nothing for what only moves the cursor."""
        if text.strip():
            self._stream.write(text.strip() + "\n")

    def flush(self):
        """Flush the stream."""
        self._stream.flush()


def bar(items=None, **options):
    """tqdm's progress bar on stderr, of `items` or to be updated; lines where no terminal is."""
    terminal = sys.stderr.isatty()
    return tqdm(
        items,
        file=sys.stderr if terminal else Lines(sys.stderr),
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 10,
        **options,
    )
