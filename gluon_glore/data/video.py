"""Frames of a video file by their numbers, decoded by PyAV: those that decoding in sequence gives.

A file's packets are read once to learn the frames' timestamps. To have some frames, its packets
are read again, and only those from the last key frame before a wanted one are decoded: nothing
seeks, where FFmpeg's demuxers differ and err. What comes out is checked to be what the timestamps
promise. Where it isn't, or there are none to trust, decoding begins at the start and counts.
"""

import bisect
import collections
import contextlib
import functools
import os
import stat
from typing import NamedTuple, Optional

import numpy as np

from ..utils.errors import InputError
from ..utils.extras import require
from .image import max_pixels

# Containers of videos alone: FFmpeg would also open playlists, which name other files, or text.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,mxf,gif,ivf,mjpeg"
# Of these each packet is a frame. (VP8 has frames that are never shown.)
_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg"}
_MISSING = 0.05  # of what the header promises: a file that lacks more ends early


class FramesByNumber:
    """What all kinds of videos are for who reads them: `frames` and `size` are a kind's own."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Nothing: a file is open while frames are read, and no longer, or is not this video's."""

    def read(self, indices, channels=3):
        """Frames in the order given, again where given again: uint8 `(n, H, W, channels)`."""
        indices, pictures = np.asarray(indices, int), None
        for index, picture in self.frames(indices, channels):
            if pictures is None:
                pictures = np.empty((len(indices), *picture.shape), np.uint8)
            pictures[indices == index] = picture
        return np.empty((0, *self.size, channels), np.uint8) if pictures is None else pictures

    def ascending(self, indices):
        """Each index once, from the lowest on. Raises InputError where there is no such frame."""
        wanted = sorted(set(map(int, indices)))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise InputError(f"frames {wanted[0]} to {wanted[-1]} of a video of {len(self)}")
        return wanted


class Video(FramesByNumber):
    """The frames of a video file, in the order of decoding, turned as they are shown.

    Raises InputError, here or when frames are read, where the file is missing, no video, without a
    video stream or a frame, has more than `image.max_pixels()` or ends before its header says.
    Whoever reads many names the file in the message. Videos may be read in several threads at
    once, one of them in one thread at a time.
    """

    def __init__(self, path):
        self.path = path
        try:
            kind = os.stat(path).st_mode
            # Before it is opened: that could wait for ever. It is read several times.
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise InputError("a pipe or device, videos are read from files")
            with open(path, "rb"):
                pass
        except OSError as error:
            raise InputError(error.strerror) from None
        with self._opened() as (container, stream):
            packets, seen = _scan(container, stream)
            promised = _promised(container, stream)
            header_rate = stream.average_rate or stream.guessed_rate or 25
            time_base = stream.time_base
            codec = stream.codec_context.codec.canonical_name
            untimed = container.format.name == "avi"  # what FFmpeg says of these it guesses
        if not packets:
            raise InputError("no frame")
        seen = max(seen, float(len(packets) / header_rate))  # packets may not say their times
        if promised - seen > max(_MISSING * promised, 2 / header_rate):
            raise InputError(f"ends after {seen:.1f} of {promised:.1f} seconds")
        sure = codec in _FRAME_A_PACKET and packets[0].key and all(p.sound for p in packets)
        self._index = _Index.of(packets) if sure and not untimed else None
        if self._index:
            self._length = self._index.length
        elif sure and untimed and codec != "mpeg4":  # which has packets for "the same again"
            self._length = len(packets)
        else:
            self._length = self._count()
        measured = self._index and self._index.rate(time_base)
        #: Frames a second, in the mean.
        self.rate = float(measured or header_rate)

    def __len__(self):
        return self._length

    @functools.cached_property
    def size(self):
        """(height, width) as shown, in pixels."""
        with contextlib.closing(self.frames([0])) as frames:
            return next(frames)[1].shape[:2]

    def frames(self, indices, channels=3):
        """Yield `(index, uint8 (H, W, channels))`, RGB or grey, of each index once, ascending.

        Raises InputError where one can't be decoded.
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
        """Yield the frame `wanted[0]`, which the caller then removes, until there is none.

        Ends before where what is decoded is not what the timestamps promise.
        """
        index, expected = self._index, None
        with self._opened() as (container, stream):
            for number, packet in enumerate(_packets(container, stream)):
                entry = index.entries[wanted[0]]
                if number < entry:
                    continue
                if number == entry:
                    stream.codec_context.flush_buffers()
                    expected = index.first[entry]
                for frame in _decoded(stream, packet):
                    place = index.places.get(frame.pts)
                    if place is not None and place < expected:
                        continue  # shown before the key frame, made of frames not decoded
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
        """Yield every frame that decoding from the start gives."""
        with self._opened() as (container, stream):
            for packet in _packets(container, stream):
                yield from _decoded(stream, packet)

    def _count(self):
        count = sum(1 for _ in self._sequence())
        if not count:
            raise InputError("no frame")
        return count

    @contextlib.contextmanager
    def _opened(self):
        """The open file and its video stream."""
        av = _library()
        allowed = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
        try:
            # As `options` these would reach streams, of which PyAV 15 frees more than it made
            # where FFmpeg finds more on the way (MPEG-PS). "file:", or a name could be an address.
            container = av.open(
                f"file:{self.path}", container_options=allowed, metadata_errors="replace"
            )
        except (av.error.FFmpegError, ValueError):
            raise InputError("not a readable video") from None
        with container:
            stream = container.streams.best("video")
            if stream is None or _is_cover(stream):
                raise InputError("no video stream")
            codec = stream.codec_context
            if codec is None or not codec.width * codec.height:
                raise InputError("a video stream that can't be decoded")
            if codec.width * codec.height > max_pixels():
                raise InputError(f"video of more than {max_pixels()} pixels")
            codec.options = {"max_pixels": str(max_pixels())}
            codec.thread_count = 1  # whoever reads many has threads for them
            self._coded = (codec.height, codec.width)
            yield container, stream


class _Packet(NamedTuple):
    """What there is to know of a packet without decoding it; `time` is when it is shown."""

    time: Optional[int]
    key: bool
    shown: bool
    sound: bool


class _Index(NamedTuple):
    """The frames of a video by the timestamps of its packets.

    `places` is the number of the frame of each timestamp, `entries` the packet of each frame from
    which decoding begins, `first` the first frame that decoding from such a packet gives rightly.
    """

    places: dict
    entries: list
    first: dict

    @classmethod
    def of(cls, packets):
        """The index of a stream's packets, or None where they do not tell its frames for sure."""
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
                # Not the key frame just before it in the file where it is shown before that one.
                entry = next((n for n, time in reversed(keys) if time <= packet.time), 0)
                entries[places[packet.time]] = entry
        return cls(places, entries, first)

    @property
    def length(self):
        return len(self.entries)

    def rate(self, time_base):
        """Frames a second, None of one frame."""
        lasts = (max(self.places) - min(self.places)) * time_base
        return (self.length - 1) / lasts if lasts else None


class _Pictures:
    """Makes decoded frames to uint8 `(H, W, channels)`, all of the size in the file's header."""

    def __init__(self, size, channels):
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
        # degrees, counterclockwise
        return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


def _library():
    av = require("av", "video")
    require("av.video.reformatter", "video")  # which `import av` leaves out
    return av


def _is_cover(stream):
    """Whether a stream is the still picture that comes with music."""
    return bool(stream.disposition & _library().stream.Disposition.attached_pic)


def _packets(container, *streams):
    """Yield packets, and last one without data of each stream, until the file ends or is broken."""
    with contextlib.suppress(_library().error.FFmpegError):
        yield from container.demux(*streams)


def _decoded(stream, packet):
    """The frames that a packet completes; none of one that can't be decoded."""
    try:
        return stream.codec_context.decode(packet if packet.size else None)
    except _library().error.FFmpegError:
        return []


def _scan(container, stream):
    """([_Packet, ...] of a stream, seconds of the file that are there)."""
    packets, seconds = [], 0.0
    # A header's length is of the stream, from its start, or of the file, from 0: see _promised.
    alone = stream.duration is not None
    start = alone and stream.start_time or 0
    for packet in _packets(container):
        if packet.dts is None and not packet.size:
            continue
        mine = packet.stream_index == stream.index
        if mine:
            sound = packet.size > 0 and not packet.is_corrupt
            packets.append(_Packet(packet.pts, packet.is_keyframe, not packet.is_discard, sound))
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None and (mine or not alone):
            end = time + (packet.duration or 0) - start
            seconds = max(seconds, float(end * packet.time_base))
    return packets, seconds


def _promised(container, stream):
    """How many seconds the header says there are, of the stream or else of all; 0 if it doesn't."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / _library().time_base
