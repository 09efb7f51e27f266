"""Scalars for TensorBoard: an event file, written without TensorFlow.

It uses tensorboardX's RecordWriter. Its SummaryWriter writes in a thread behind a queue of ten
entries: where a full disk ends that thread, the trainer would wait for it forever.
"""

import os
import socket
import time

from gluon_glore.utils.extras import require


def require_tensorboard():
    """Raise InputError where the optional package is not installed."""
    require("tensorboardX", "train", "config key tensorboard: true")


class EventFile:
    """A new event file in `folder`, whole after each call.

    TensorBoard forgets what older files there say of `first_step` and later: a resumed run does
    those steps again.
    """

    def __init__(self, folder, first_step=0):
        from tensorboardX import RecordWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard wants "tfevents" in the name, and reads a run's files in this order.
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}"
        self._writer = RecordWriter(os.fspath(folder / name))
        self._write(file_version="brain.Event:2")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(step=first_step, session_log=start)

    def scalars(self, step, values):
        """Write `{tag: number}` of training step `step`."""
        value = [self._summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]
        self._write(step=step, summary=self._summary(value=value))

    def close(self):
        """Write what is still in memory, and close the file."""
        self._writer.close()

    def _write(self, **fields):
        """Append an event of these fields, and flush."""
        event = self._event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())
        self._writer.flush()
