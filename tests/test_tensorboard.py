import importlib.util
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from gluon_glore import InputError
from train.reporting.tensorboard import EventFile, require_tensorboard


def read_events(folder):
    """The events of the only file in `folder`: TFRecord, whose lengths and CRCs frame each."""
    (path,) = folder.glob("*tfevents*")
    data, events, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        events.append(Event.FromString(data[at + 12 : at + 12 + size]))
        at += 12 + size + 4
    return events


def test_scalars_are_in_the_file_as_soon_as_they_are_written(tmp_path):
    file = EventFile(tmp_path / "tensorboard", first_step=30)
    file.scalars(31, {"train/loss": 0.5, "train/lr": 0.25})
    version, start, row = read_events(tmp_path / "tensorboard")
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (30, SessionLog.START)
    assert row.step == 31
    assert {v.tag: v.simple_value for v in row.summary.value} == {
        "train/loss": 0.5,
        "train/lr": 0.25,
    }
    file.close()


def test_without_the_package_the_config_key_is_refused(monkeypatch):
    require_tensorboard()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="tensorboard: true needs the package tensorboardX"):
        require_tensorboard()
