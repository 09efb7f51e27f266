"""Frames of a video file by their numbers, decoded by PyAV.

Frame `n` is the n-th that decoding from the start gives. By hand, because no library here promises
that: FFmpeg's seeking, which OpenCV and decord use, gives other frames in some containers.

A file's packets are read once to learn the frames' timestamps. To have some frames, its packets
are read again, without seeking, and decoded from the last key frame before a wanted frame on. Each
decoded frame is checked to have the timestamp that the index has for it. Where it has another, or
a file's timestamps can't be trusted, frames are decoded from the start and counted.
"""

import bisect
import collections
import contextlib
import functools
import io
import os
import stat
from typing import Callable, NamedTuple, Optional

import numpy as np

from ..utils.errors import InputError
from ..utils.extras import require
from .image import max_pixels, refuse_depth
from .mp4_tables import refuse_false_tables

# Containers of videos alone: FFmpeg would also open playlists, which name other files, or text.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,mxf,gif,ivf,mjpeg"
# In these each packet is a frame. (VP8 has frames that are never shown.)
_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg"}
_MISSING = 0.05  # share of the header's length: a file that lacks more has been cut


class FramesByNumber:
    """How every kind of video is read. A kind has `frames`, `size`, `rate` and a length of its own.

    `Video` is a file; the trainers read others from records.
    """

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Do nothing: a file is open only while frames are read from it."""

    def read(self, indices, channels=3):
        """The frames of `indices`, in that order: uint8 `(len(indices), H, W, channels)`.

        Raises InputError where there is no such frame, or one can't be decoded.
        """
        indices, pictures = np.asarray(indices, int), None
        for index, picture in self.frames(indices, channels):
            if pictures is None:
                pictures = np.empty((len(indices), *picture.shape), np.uint8)
            pictures[indices == index] = picture
        return np.empty((0, *self.size, channels), np.uint8) if pictures is None else pictures

    def ascending(self, indices):
        """`indices` sorted, each once. Raises InputError where there is no such frame."""
        wanted = sorted(set(map(int, indices)))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise InputError(f"frames {wanted[0]} to {wanted[-1]} of a video of {len(self)}")
        return wanted


class Bounds(NamedTuple):
    """How much a stranger's video may have, and cost.

    `pixels` a frame (None: `image.max_pixels()`), and `frames` (None: any number). `check()` is
    called before each packet is read; what it raises ends the reading.
    """

    pixels: Optional[int] = None
    frames: Optional[int] = None
    check: Callable[[], None] = lambda: None


class Video(FramesByNumber):
    """The frames of a video, a file or its bytes, in the order of decoding, rotated as shown.

    `source` is a path or bytes, `rate` frames a second, in the mean. Raises InputError, here or
    when frames are read, where the file is missing or no video, has no video stream or no frame,
    has more than its `bounds`, or ends before its header says; the message does not name the file.
    Several threads may read different videos at once, but not the same one.
    """

    def __init__(self, source, bounds=None):
        self.source, self._bounds = source, bounds or Bounds()
        if isinstance(source, bytes):
            refuse_false_tables(source)
        else:
            _refuse_unreadable(source)
        with self._opened() as (container, stream):
            packets, seen = _scan(container, stream, self._bounds)
            promised = _promised(container, stream)
            header_rate = stream.average_rate or stream.guessed_rate or 25
            time_base = stream.time_base
            codec = stream.codec_context.codec.canonical_name
            untimed = container.format.name == "avi"  # FFmpeg guesses the times of these
        if not packets:
            raise InputError("no frame")
        seen = max(seen, float(len(packets) / header_rate))  # packets may not say their times
        if promised - seen > max(_MISSING * promised, 2 / header_rate):
            raise InputError(f"ends after {seen:.1f} of {promised:.1f} seconds")
        sure = codec in _FRAME_A_PACKET and packets[0].key and all(p.sound for p in packets)
        self._index = _Index.of(packets) if sure and not untimed else None
        if self._index:
            self._length = self._index.length
        elif sure and untimed and codec != "mpeg4":  # mpeg4 has packets that repeat a frame
            self._length = len(packets)
        else:
            self._length = self._count()
        measured = self._index and self._index.rate(time_base)
        self.rate = float(measured or header_rate)

    def __len__(self):
        return self._length

    @functools.cached_property
    def size(self):
        """(height, width) as shown, in pixels."""
        with contextlib.closing(self.frames([0])) as frames:
            return next(frames)[1].shape[:2]

    def frames(self, indices, channels=3):
        """Yield `(index, uint8 (H, W, channels))` for each index once, in ascending order.

        Frames are RGB, or grey for one channel. Raises InputError where one can't be decoded.
        """
        wanted = collections.deque(self.ascending(indices))
        picture = _Pictures(self._coded, channels)
        if self._index and wanted:
            for frame in self._timed(wanted):
                yield wanted.popleft(), picture(frame)
        if not wanted:
            return
        for number, frame in enumerate(self._sequence()):
            if number == wanted[0]:
                yield wanted.popleft(), picture(frame)
                if not wanted:
                    return
        raise InputError(f"frame {wanted[0]} of {len(self)} can't be decoded")

    def _timed(self, wanted):
        """Yield the decoded frame `wanted[0]` again and again; the caller removes its number.

        Ends when `wanted` is empty, or early, at a frame whose timestamp is not the index's.
        """
        index, expected = self._index, None
        with self._opened() as (container, stream):
            for number, packet in enumerate(_packets(container, self._bounds, stream)):
                entry = index.entries[wanted[0]]
                if number < entry:
                    continue
                if number == entry:
                    stream.codec_context.flush_buffers()
                    expected = index.first[entry]
                for frame in _decoded(stream, packet):
                    place = index.places.get(frame.pts)
                    if place is not None and place < expected:
                        continue  # shown before the key frame, made of frames before it
                    # A packet may be marked as a key frame and be none.
                    entered = entry and place == index.first.get(entry)
                    if place != expected or frame.is_corrupt or entered and not frame.key_frame:
                        return
                    expected += 1
                    if place == wanted[0]:
                        yield frame
                        if not wanted:
                            return

    def _sequence(self):
        """Yield every frame, decoded from the start."""
        with self._opened() as (container, stream):
            for packet in _packets(container, self._bounds, stream):
                yield from _decoded(stream, packet)

    def _count(self):
        """How many frames decoding from the start gives. Raises InputError where there is none."""
        count = sum(1 for _ in self._sequence())
        if not count:
            raise InputError("no frame")
        return count

    @contextlib.contextmanager
    def _opened(self):
        """Yield the open file and its video stream. Raises InputError where it can't be used."""
        av, in_memory = _library(), isinstance(self.source, bytes)
        most = max_pixels() if self._bounds.pixels is None else self._bounds.pixels
        allowed = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
        try:
            # Not as `options`, which also reach streams: PyAV 15 then frees memory twice where
            # FFmpeg finds more streams while it reads (MPEG-PS). Without "file:" a name could be
            # an address.
            file = io.BytesIO(self.source) if in_memory else f"file:{self.source}"
            container = av.open(file, container_options=allowed, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError):
            raise InputError("not a readable video") from None
        with container:
            stream = container.streams.best("video")
            if stream is None or _is_cover(stream):
                raise InputError("no video stream")
            codec = stream.codec_context
            if codec is None or not codec.width * codec.height:
                raise InputError("a video stream that can't be decoded")
            if codec.width * codec.height > most:
                raise InputError(f"video of more than {most} pixels")
            codec.options = {"max_pixels": str(most)}
            codec.thread_count = 1  # callers read several videos at once, in threads of theirs
            self._coded = (codec.height, codec.width)
            yield container, stream


class _Packet(NamedTuple):
    """What is known of a packet before it is decoded.

    `time` is its timestamp of showing, None where it has none; `key`: decoding can begin with it;
    `shown`: its frame is shown; `sound`: it has data, and they are not marked as damaged.
    """

    time: Optional[int]
    key: bool
    shown: bool
    sound: bool


class _Index(NamedTuple):
    """The frames of a video by the timestamps of its packets.

    `places` maps a timestamp to the number of its frame. `entries` has, for each frame, the number
    of the packet with which decoding must begin; `first` maps that packet to the number of the
    first frame that is decoded rightly from there.
    """

    places: dict
    entries: list
    first: dict

    @classmethod
    def of(cls, packets):
        """The index of a stream's packets, None where their timestamps do not tell the frames."""
        if any(packet.time is None for packet in packets):
            return None
        times = sorted(packet.time for packet in packets if packet.shown)
        places = {time: number for number, time in enumerate(times)}
        if not times or len(places) < len(times):
            return None
        if packets[0].time > times[0]:
            return None
        entries, first, keys = [0] * len(times), {}, []
        for number, packet in enumerate(packets):
            if packet.key:
                keys.append((number, packet.time))
                first[number] = bisect.bisect_left(times, packet.time)
            if packet.shown:
                # Of the key frames before it in the file, the last that is not shown after it.
                entry = next((n for n, time in reversed(keys) if time <= packet.time), 0)
                entries[places[packet.time]] = entry
        return cls(places, entries, first)

    @property
    def length(self):
        """The number of frames."""
        return len(self.entries)

    def rate(self, time_base):
        """Frames a second, None for a single frame."""
        lasts = (max(self.places) - min(self.places)) * time_base
        return (self.length - 1) / lasts if lasts else None


class _Pictures:
    """Converts decoded frames to uint8 `(H, W, channels)`, all of the size in the file's header."""

    def __init__(self, size, channels):
        refuse_depth(channels)
        self.size, self.channels = size, channels
        self.format = "rgb24" if channels == 3 else "gray"
        self.reformatter = _library().video.reformatter.VideoReformatter()

    def __call__(self, frame):
        height, width = self.size
        try:
            converted = self.reformatter.reformat(frame, width, height, self.format)
        except (_library().error.FFmpegError, ValueError):
            raise InputError("frames that can't be converted") from None
        picture = converted.to_ndarray().reshape(height, width, self.channels)
        turns = round(frame.rotation / 90)  # counterclockwise
        return np.ascontiguousarray(np.rot90(picture, turns))


def _refuse_unreadable(path):
    """Raise InputError where a path is none of a file that can be read."""
    try:
        kind = os.stat(path).st_mode
        # Asked before it is opened: opening a pipe could wait for ever.
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise InputError("a pipe or device, videos are read from files")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(error.strerror) from None


def _library():
    """The module `av`. Raises InputError where PyAV is not installed."""
    require("av", "video")
    import av
    import av.video.reformatter  # noqa: F401

    return av


def _is_cover(stream):
    """Whether a stream is the still picture that comes with music."""
    return bool(stream.disposition & _library().stream.Disposition.attached_pic)


def _packets(container, bounds, *streams):
    """Yield packets until the file ends or is damaged; the last one of each stream is empty."""
    with contextlib.suppress(_library().error.FFmpegError):
        for packet in container.demux(*streams):
            bounds.check()
            yield packet


def _decoded(stream, packet):
    """The frames that a packet completes, none where it can't be decoded."""
    try:
        return stream.codec_context.decode(packet if packet.size else None)
    except _library().error.FFmpegError:
        return []


def _scan(container, stream, bounds):
    """A stream's packets, [_Packet, ...], and how many seconds the file really has.

    Raises InputError where there are more than the bounds allow.
    """
    packets, seconds = [], 0.0
    # Measured as in `_promised`: of this stream from its start, or of the whole file from 0.
    alone = stream.duration is not None
    start = alone and stream.start_time or 0
    for packet in _packets(container, bounds):
        if packet.dts is None and not packet.size:
            continue
        mine = packet.stream_index == stream.index
        if mine:
            sound = packet.size > 0 and not packet.is_corrupt
            packets.append(_Packet(packet.pts, packet.is_keyframe, not packet.is_discard, sound))
            if bounds.frames is not None and len(packets) > bounds.frames:
                raise InputError(f"video of more than {bounds.frames} frames")
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None and (mine or not alone):
            end = time + (packet.duration or 0) - start
            seconds = max(seconds, float(end * packet.time_base))
    return packets, seconds


def _promised(container, stream):
    """Seconds of the stream by the header, else of the whole file; 0 where it does not say."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / _library().time_base
