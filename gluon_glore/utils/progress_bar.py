"""A progress bar on stderr: it moves on a terminal, and is a line now and then in a log file."""

import sys

from tqdm import tqdm


class Lines:
    """A stream that writes each state of a bar as a line of its own, for what is no terminal."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Write a state of the bar as a line, and nothing where it only moves the cursor."""
        if text.strip():
            self._stream.write(text.strip() + "\n")

    def flush(self):
        """Flush the stream."""
        self._stream.flush()


def bar(items=None, **options):
    """tqdm's progress bar on stderr, iterating over `items`, or without them updated by hand.

    `options` are tqdm's own. It is drawn every 0.2 seconds on a terminal, else every 10.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        items,
        file=sys.stderr if terminal else Lines(sys.stderr),
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 10,
        **options,
    )
