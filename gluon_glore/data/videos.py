"""Labelled videos: of class folders, of a list file, or packed as records."""

from pathlib import Path

from ..utils.errors import InputError
from .class_names import class_of, names_beside, read_names
from .lists.labelled_files import VIDEO, counted, labelled_files
from .lists.labels import number_names
from .packed_videos import PackedVideos
from .record_chunks import spread_over
from .records import WrongLabel, check_label
from .spot_check import spot_check
from .video import Video


class Videos:
    """The videos of `source`, in its order; any thread may ask for any of them.

    `source`: what `labelled_files` reads, with its `root` and `use`, or a .rec of
    `train.pack_video` beside its .idx and .classes.txt, or a pattern of several. `class_names`: in
    label order, as those of the training set for a validation set; default: of packed videos their
    own, else the classes sorted, or "0", "1", ... where all of a list's are integers.

    Raises InputError for a list, an index or a class of no use, naming it. Files that a list names
    may be missing, which opening them says.
    """

    def __init__(self, source, class_names=None, root="", use="train"):
        self.path = Path(source).expanduser()
        packed = self.path.suffix == ".rec" and not self.path.is_dir()
        self._videos = (
            _Packed(self.path, class_names) if packed else _Files(self.path, class_names, root, use)
        )
        #: A tuple, in label order.
        self.class_names = self._videos.class_names

    @property
    def paths(self):
        """The video files, in order; none of packed videos."""
        return self._videos.paths

    def __len__(self):
        return len(self._videos)

    def name(self, i) -> str:
        """What to call video i in a message: its file or its record."""
        return self._videos.name(i)

    def label(self, i) -> int:
        """The place of video i's class in `class_names`.

        Raises InputError, without the video's name, where a record is damaged, and WrongLabel, with
        its name, where its label is out of range.
        """
        return self._videos.label(i)

    def contents(self):
        """How many videos of how many classes it has, and from what list, in words."""
        return self._videos.contents()

    def open(self, i):
        """Video i, a context manager with the interface of `gluon_glore.data.video.Video`.

        It and its reading raise InputError, without the video's name, where it is missing or can't
        be read.
        """
        return self._videos.open(i)


def check_videos(videos, max_bad, use=lambda frame: None, missing=frozenset()):
    """Read a frame of videos spread over a `Videos`, and `use(frame)`.

    Raises InputError where too many are bad, as `spot_check` counts; `missing` as it takes them.
    """

    def attempt(index):
        videos.label(index)
        with videos.open(index) as video:
            use(*video.read([len(video) // 2]))

    spot_check(videos, attempt, max_bad, "video", missing=missing)


class _Files:
    """Video files of a folder or a list."""

    def __init__(self, source, class_names, root, use):
        files = labelled_files(source, VIDEO, class_names, root, use)
        self.class_names, self._labels, self.paths = files.class_names, files.labels, files.paths
        self._contents = files.contents(VIDEO)

    def contents(self):
        return self._contents

    def __len__(self):
        return len(self.paths)

    def name(self, i):
        return self.paths[i]

    def label(self, i):
        return self._labels[i]

    def open(self, i):
        return Video(self.paths[i])


class _Packed(PackedVideos):
    """Packed videos whose labels are those of `class_names`."""

    paths = ()

    def __init__(self, path, class_names):
        super().__init__(path)
        names = names_beside(path) or path.with_suffix(".classes.txt")
        own = tuple(read_names(names))
        self.class_names = tuple(map(str, own if class_names is None else class_names))
        label_of = number_names(self.class_names)
        unknown = [name for name in own if class_of(name) not in label_of]
        if unknown:
            raise InputError(
                f"{names}: class {unknown[0]!r} is not among the {len(label_of)} names given"
            )
        self._label_of = [label_of[class_of(name)] for name in own]
        self._present = len(own)

    def contents(self):
        words = counted(len(self), VIDEO, len(self.class_names), self._present)
        return f"{words}{spread_over(self.files)}"

    def label(self, i):
        try:
            return self._label_of[check_label(super().label(i), len(self._label_of))]
        except WrongLabel as error:
            raise WrongLabel(f"{self.name(i)}: {error}") from None
