"""The reading of videos is measured beside others'; what is not installed is not run."""

import importlib.util
import json

import pytest

from benchmarks import video_loader
from benchmarks.video_loader import COMPETITORS, write_list
from gluon_glore.utils.errors import InputError
from tests.helpers.videos import moving, write_video
from tests.helpers.without_mxnet import needs_mxnet

pytest.importorskip("av", reason="PyAV is not installed")


@needs_mxnet
def test_all_read_as_many_clips_and_who_is_not_installed_is_named(tmp_path):
    for name in ("a.mp4", "b.avi"):
        write_video(tmp_path / name, moving(12), codec="mpeg4")
    options = ["--clips", "5", "--batch", "2", "--frames", "2", "--rounds", "7", "--threads", "2"]
    video_loader.main([str(tmp_path), *options, "--out", str(tmp_path)])
    result = json.loads((tmp_path / "video_loader.json").read_text())
    missing = [] if importlib.util.find_spec("decord") else ["decord"]
    assert list(result["not_run"]) == missing
    assert set(result["clips_per_second"]) == set(COMPETITORS) - set(missing)
    assert all(value > 0 for value in result["clips_per_second"].values())
    assert set(result["reading_ratio"]) == {"opencv", "decord"} - set(missing)
    assert (result["videos"], result["clips"]) == (2, 4)


def test_a_list_repeats_the_folders_videos(tmp_path):
    (tmp_path / "deep").mkdir()
    files = [tmp_path / "a.mp4", tmp_path / "deep" / "b.avi"]
    for file in (*files, tmp_path / "notes.txt"):
        file.touch()
    assert write_list(tmp_path, tmp_path / "list.tsv", clips=3) == 2
    lines = (tmp_path / "list.tsv").read_text().splitlines()
    assert lines == [f"{file}\tvideo" for file in (*files, files[0])]


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(InputError, match="no videos in it"):
        write_list(tmp_path, tmp_path / "list.tsv", clips=3)
