"""A Gluon block as a function of numpy arrays that several threads may call."""

import threading

import mxnet as mx


class SharedBlock:
    """Runs a block on a batch at a time, whichever threads call it: numpy in, numpy out.

    A block is no thread's but one's: where two make its graph at once, both fail, and memory that
    is static is that of one forward. `dtype` is its input's. Its device is the current context of
    the thread that makes this, for contexts are a thread's own.
    """

    def __init__(self, block, dtype="float32"):
        self._block, self._dtype = block, dtype
        self._device = mx.context.current_context()
        self._lock = threading.Lock()

    def __call__(self, x):
        """A batch `(B, *input)` -> the block's output, numpy both."""
        with self._lock:
            return self._block(mx.nd.array(x, ctx=self._device, dtype=self._dtype)).asnumpy()
