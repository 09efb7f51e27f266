"""Event files of TensorBoard."""

import struct

from tensorboardX.proto.event_pb2 import Event


def read_events(folder):
    """The events of the only file in `folder`: TFRecord, whose lengths and CRCs frame each."""
    (path,) = folder.glob("*tfevents*")
    data, events, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        events.append(Event.FromString(data[at + 12 : at + 12 + size]))
        at += 12 + size + 4
    return events
