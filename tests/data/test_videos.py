import shutil

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.records import WrongLabel
from gluon_glore.data.video import Video
from gluon_glore.data.videos import Videos, check_videos
from tests.helpers.damaged_records import count_bad
from tests.helpers.videos import moving, write_video
from train.pack_video import pack_videos


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """The bytes of a small video, and its frames as they are read."""
    path = write_video(tmp_path_factory.mktemp("film") / "a.mp4", moving(12))
    with Video(path) as video:
        return path.read_bytes(), video.read(range(len(video)))


@pytest.fixture
def folder(tmp_path, film):
    """Two videos of class dog, one of cat."""
    for name in ("dog/1.mp4", "dog/2.mp4", "cat/1.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(film[0])
    return tmp_path


def labels(videos):
    return [videos.label(i) for i in range(len(videos))]


def test_a_folders_classes_are_labelled_in_order_and_its_videos_open(folder, film):
    videos = Videos(folder)
    assert videos.class_names == ("cat", "dog") and labels(videos) == [0, 1, 1]
    assert videos.path == folder and videos.name(2) == str(folder / "dog" / "2.mp4")
    with videos.open(1) as video:
        assert len(video) == 12 and video.rate == 25 and video.size == (48, 64)
        assert np.array_equal(video.read([3, 0]), film[1][[3, 0]])


def test_a_validation_set_takes_the_training_sets_names(folder):
    names = Videos(folder).class_names
    listed = folder / "val.txt"
    listed.write_text("dog/1.mp4\tdog\ndog/2.mp4 0\n")
    assert labels(Videos(listed, class_names=names)) == [1, 0]
    assert Videos(listed, class_names=list(names)).class_names == names
    numbers = folder / "numbers.txt"
    numbers.write_text("dog/1.mp4 10\ncat/1.mp4 2\n")
    assert Videos(numbers).class_names == tuple(map(str, range(11)))
    assert labels(Videos(numbers)) == [10, 2]


def test_a_lists_paths_are_below_its_folder_or_the_root_and_not_looked_for(folder, tmp_path):
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "train.txt"
    listed.write_text("dog/1.mp4 0\ngone.mp4 1\n")
    assert len(Videos(listed)) == 2
    assert len(Videos(listed, root=folder).open(0)) == 12
    with pytest.raises(InputError, match="^No such file or directory$"):
        Videos(listed, root=folder).open(1)


def test_a_set_says_what_it_is_and_reads_the_lines_of_its_use(folder):
    assert Videos(folder).contents() == "3 videos of 2 classes, from class folders"
    (folder / "k.csv").write_text(
        "label,youtube_id,time_start,time_end,split\ndog,x,1,2,train\ncat,y,1,2,val\n"
    )
    (folder / "dog" / "1.mp4").rename(folder / "dog" / "x_000001_000002.mp4")
    (folder / "cat" / "1.mp4").rename(folder / "cat" / "y_000001_000002.mp4")
    for use, name in (("train", "dog/x_000001_000002.mp4"), ("val", "cat/y_000001_000002.mp4")):
        videos = Videos(folder / "k.csv", ("cat", "dog"), use=use)
        assert [videos.name(i) for i in range(len(videos))] == [str(folder / name)]
        assert f"1 videos of 1 of the 2 classes, from Kinetics' csv, split {use}, " in (
            videos.contents()
        )


def test_labels_of_no_use_are_named_with_line_and_path(folder):
    listed = folder / "list.txt"
    listed.write_text("dog/1.mp4 0\ndog/2.mp4 2\n")
    with pytest.raises(InputError, match=r"list.txt line 2: .*dog/2.mp4: label 2 is out of range"):
        Videos(listed, class_names=("cat", "dog"))
    listed.write_text("dog/1.mp4\twolf\n")
    with pytest.raises(InputError, match=r"line 1: .*dog/1.mp4: class 'wolf' is not among the 2"):
        Videos(listed, class_names=("cat", "dog"))


@pytest.fixture
def packed(folder, tmp_path):
    (tmp_path / "out").mkdir()
    pack_videos(folder, tmp_path / "out" / "train")
    return tmp_path / "out" / "train.rec"


def test_packed_videos_are_as_those_of_files(folder, packed, film):
    videos = Videos(packed)
    assert videos.class_names == ("cat", "dog") and labels(videos) == [0, 1, 1]
    assert videos.path == packed and videos.name(2) == f"{packed} record 2"
    with videos.open(1) as video:
        assert len(video) == 12 and video.rate == 25 and video.size == (48, 64)
        difference = video.read([3, 0]).astype(int) - film[1][[3, 0]]
    assert 0 < np.abs(difference).mean() < 12


def test_packed_videos_in_several_files_are_one_set(packed):
    for number in range(3):
        for suffix in (".rec", ".idx"):
            shutil.copy(packed.with_suffix(suffix), packed.with_name(f"part_{number}{suffix}"))
    shutil.copy(packed.with_suffix(".classes.txt"), packed.with_name("part.classes.txt"))
    videos = Videos(packed.with_name("part_*.rec"))
    assert labels(videos) == [0, 1, 1] * 3 and videos.paths == ()
    assert videos.contents() == "9 videos of 2 classes in 3 files, part_0.rec to part_2.rec"
    assert videos.name(7) == f"{packed.with_name('part_2.rec')} record 1"
    with videos.open(7) as video, Videos(packed).open(1) as same:
        assert np.array_equal(video.read([5]), same.read([5]))


def test_packed_labels_become_those_of_the_names_given(packed):
    videos = Videos(packed, class_names=("wolf", "dog", "cat"))
    assert videos.class_names == ("wolf", "dog", "cat") and labels(videos) == [2, 1, 1]
    with pytest.raises(InputError, match="train.classes.txt: class 'cat' is not among the 1 names"):
        Videos(packed, class_names=("dog",))
    with pytest.raises(InputError, match="class name 'cat' comes twice among the 3 names given"):
        Videos(packed, class_names=("cat", "dog", "cat"))


def test_packed_videos_without_names_or_with_fewer_than_labels_are_refused(packed):
    names = packed.with_name("train.classes.txt")
    names.write_text("cat\n")
    assert Videos(packed).label(0) == 0
    with pytest.raises(WrongLabel, match="train.rec record 1: label 1 is out of range, 0 to 0 all"):
        Videos(packed).label(1)
    names.unlink()
    with pytest.raises(InputError, match="train.classes.txt: No such file"):
        Videos(packed)


def cut(data):
    return data[: len(data) // 2]


def text(data):
    return b"no video at all\n" * 100


def nothing(data):
    return b""


@pytest.mark.parametrize("fault", [cut, text, nothing])
def test_damaged_files_are_input_errors_and_counted(folder, fault, capsys):
    path = folder / "dog" / "1.mp4"
    path.write_bytes(fault(path.read_bytes()))
    videos = Videos(folder)
    bad = count_bad(videos, 0.4)

    def attempt(index):
        try:
            with videos.open(index) as video:
                video.read(range(len(video)))
        except InputError as error:
            assert str(path) not in str(error) and "\n" not in str(error)
            bad.meet(index, f"{videos.name(index)}: {error}")

    for index in range(3):
        attempt(index)
    bad.agree([1], [1], attempt)
    assert bad.known == {1}
    assert f"skipped {path}: " in capsys.readouterr().err
    with pytest.raises(InputError, match="more than 0 of 3 records are bad"):
        count_bad(Videos(folder)).agree([1], [1], attempt)


def test_the_preflight_lets_chance_pass_and_refuses_more(tmp_path, film):
    for i in range(30):
        (tmp_path / f"{i}.mp4").write_bytes(film[0])
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{i}.mp4 {i % 2}\n" for i in range(30)))
    videos = Videos(listed)
    check_videos(videos, max_bad=0.0)
    (tmp_path / "0.mp4").unlink()
    check_videos(videos, max_bad=0.04)  # one of 20, but then one of 30 is allowed
    with pytest.raises(InputError, match="1 of 20 videos tried are bad, as .*/0.mp4: No such file"):
        check_videos(videos, max_bad=0.01)
    (tmp_path / "29.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="2 of 20 videos tried are bad"):
        check_videos(videos, max_bad=0.04)
    check_videos(videos, max_bad=0.1)


def test_the_preflight_names_a_record_of_pictures(tmp_path):
    from gluon_glore.data.records import write_records

    write_records(tmp_path / "a.rec", [(b"\xff\xd8" * 100, 0)] * 3)
    (tmp_path / "a.classes.txt").write_text("cat\n")
    message = "3 of 3 videos tried are bad, as .*a.rec record 0: not a packed video"
    with pytest.raises(InputError, match=message):
        check_videos(Videos(tmp_path / "a.rec"), max_bad=0.0)
