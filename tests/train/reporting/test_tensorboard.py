import sys

import pytest
from tensorboardX.proto.event_pb2 import SessionLog

from gluon_glore import InputError
from tests.helpers.events import read_events
from train.reporting.tensorboard import EventFile, require_tensorboard


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
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as where its import is blocked
    with pytest.raises(InputError, match="tensorboard: true needs the package tensorboardX"):
        require_tensorboard()
