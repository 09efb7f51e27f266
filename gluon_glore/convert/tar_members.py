"""The members of a .tar that may be hostile, read forward, in small pieces, up to a limit.

By hand, for `tarfile` takes a damaged header for the end of an archive, follows chains of headers
by recursion and reads them whole, however long. Only its parser of one header is used here.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from typing import NamedTuple

# What a compressed file begins with.
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"

MAX_HEADERS = 100_000  # of members and their extension headers: a long name, attributes
_MAX_EXTENSION = 1 << 16  # bytes of an extension header
_PIECE = 1 << 20
_XZ_MEMORY = 128 << 20  # `xz -9` needs 65 MiB, a stream may ask for 4 GiB

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
_ATTRIBUTES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_UNUSED = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)


class Refused(Exception):
    """Why an archive is refused, in one line that does not name it."""


class Member(NamedTuple):
    """A file, folder or link of an archive."""

    name: str
    is_file: bool
    is_link: bool
    size: int  # bytes that follow its header


class Unpacked:
    """The unpacked bytes of an open archive, plain, .gz, .bz2 or .xz, read once from the start.

    Raises Refused at more than `limit` of them.
    """

    def __init__(self, file, limit):
        file.seek(0)
        magic = file.read(6)
        file.seek(0)
        if magic.startswith(GZIP):
            file = gzip.GzipFile(fileobj=file)
        elif magic.startswith(BZIP2):
            file = bz2.BZ2File(file)
        elif magic == XZ:
            file = io.BufferedReader(_Xz(file))
        self._file, self.limit, self.position = file, limit, 0

    def some(self, size):
        """The next `size` bytes, fewer at the end."""
        try:
            data = self._file.read(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise Refused(f"damaged archive ({error})") from None
        self.position += len(data)
        if self.position > self.limit:
            raise Refused(f"unpacks to more than {self.limit} bytes")
        return data

    def pieces(self, size):
        """The next `size` bytes, no fewer, in parts."""
        while size > 0:
            data = self.some(min(size, _PIECE))
            if not data:
                raise Refused("truncated archive")
            size -= len(data)
            yield data

    def read(self, size):
        """The next `size` bytes, no fewer."""
        return b"".join(self.pieces(size))


class _Xz(io.RawIOBase):
    """The unpacked bytes of an .xz stream. The standard library's reader can't bound its memory."""

    def __init__(self, file):
        self._file = file
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self):
        return True

    def readinto(self, buffer):
        data = b""
        while not data and not self._decoder.eof:
            packed = self._file.read(1 << 16) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError("it ends within the compressed data")
            data = self._decoder.decompress(packed, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def members(source):
    """Yield each Member of an Unpacked; data of it that the caller does not read is skipped.

    Raises Refused where the archive is damaged, ends early, exceeds a limit, or holds what no
    honest archive of weights does: devices, pipes, sparse files, paths that lead out of it.
    """
    extension = {}
    for _ in range(MAX_HEADERS):
        header = _header(source)
        if header is None:
            while source.some(_PIECE):  # a compressed archive has its checksum at the end
                pass
            return
        if header.type in (*_ATTRIBUTES, *_UNUSED, tarfile.GNUTYPE_LONGNAME):
            extension.update(_extension(source, header))
            continue
        member = _member(header, extension)
        extension = {}
        if member.size > source.limit:
            raise Refused(f"{shown(member.name)} is declared to be {member.size} bytes")
        end = source.position + _padded(member.size)
        yield member
        for _ in source.pieces(end - source.position):
            pass
    raise Refused(f"more than {MAX_HEADERS} members")


def _header(source):
    """The next header, None at the end mark."""
    start = source.position
    block = source.some(tarfile.BLOCKSIZE)
    if len(block) == tarfile.BLOCKSIZE and not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if not start:
            raise Refused("not a tar archive") from None
        short = len(block) < tarfile.BLOCKSIZE
        raise Refused("truncated archive" if short else f"damaged archive ({error})") from None


def _extension(source, header):
    """What an extension header says of the next member, by the keys of pax."""
    if header.size > _MAX_EXTENSION:
        raise Refused(f"a header of {header.size} bytes, at most {_MAX_EXTENSION} are allowed")
    data = source.read(_padded(header.size))[: header.size]
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": _text(data.split(b"\0")[0])}
    return _attributes(data) if header.type in _ATTRIBUTES else {}


def _attributes(data):
    r"""The records `LENGTH KEY=VALUE\n` of a pax header."""
    records, place = {}, 0
    try:
        while place < len(data):
            space = data.index(b" ", place)
            end = place + int(data[place:space])
            if not space < end <= len(data):
                raise ValueError
            key, _, value = data[space + 1 : end - 1].partition(b"=")
            records[_text(key)] = _text(value)
            place = end
        if "size" in records:
            records["size"] = int(records["size"])
    except ValueError:
        raise Refused("damaged archive (attributes of a member)") from None
    return records


def _member(header, extension):
    """The Member of a header and of the extensions before it. Raises Refused as `members`."""
    name = extension.get("path", header.name)
    is_file = header.type in _FILES
    size = extension.get("size", header.size) if is_file else 0
    if header.type == tarfile.GNUTYPE_SPARSE or any(k.startswith("GNU.sparse") for k in extension):
        raise Refused(f"{shown(name)} is a sparse file")
    if not is_file and header.type not in (*_LINKS, tarfile.DIRTYPE):
        raise Refused(f"{shown(name)} is neither file, folder nor link")
    if name.startswith("/") or ".." in name.split("/"):
        raise Refused(f"{shown(name)} leads out of the archive")
    if size < 0:
        raise Refused(f"damaged archive ({shown(name)} has {size} bytes)")
    return Member(name, is_file, header.type in _LINKS, size)


def _text(data):
    return data.decode("utf-8", "surrogateescape")


def _padded(size):
    """A size rounded up to whole blocks."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def shown(name):
    """A path of an archive as it can be put in a message of one line."""
    return name if name.isprintable() and len(name) <= 200 else ascii(name[:200])
