"""Archives: of released networks, and of PyTorch."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

from gluon_glore.convert.archive import extract_release
from gluon_glore.convert.pytorch import read_pytorch

from .kind import MIB, Kind
from .mutate import mutate_bytes, repaired

SYMBOL, PARAMS = b'{"nodes": []}', bytes(range(256)) * 3
LIMIT = 4 * MIB
BLOCK = 512


def tar(format, **names):
    """The bytes of an archive of two files, and a few members more."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=format) as file:
        for name, data in {"code/net-symbol.json": SYMBOL, "code/net-0120.params": PARAMS}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "a" * 50} if format == tarfile.PAX_FORMAT else {}
            file.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("code/" + "long" * 40)
        link.type, link.linkname = tarfile.SYMTYPE, "net-symbol.json"
        file.addfile(link)
    return content.getvalue().rstrip(b"\0") + bytes(1024)


def archives():
    gnu, pax = tar(tarfile.GNU_FORMAT), tar(tarfile.PAX_FORMAT)
    return [gnu, pax, gnu, pax, gzip.compress(gnu, mtime=0), bz2.compress(pax), lzma.compress(gnu)]


def with_checksums(data):
    """A tar whose headers have the checksums of what they hold."""
    data = bytearray(data)
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + BLOCK])
    return bytes(data)


def extract(data, folder):
    """Take the two files out of an archive: those, and nowhere else."""
    path, out = Path(folder) / "a.tar", Path(folder) / "out"
    path.write_bytes(data)
    for left in out.glob("*"):
        left.unlink()
    symbol, params = extract_release(path, out, limit=LIMIT)
    assert sorted(out.iterdir()) == [symbol, params]
    assert sorted(Path(folder).iterdir()) == [path, out]


def zips():
    """A zip as PyTorch writes it, but for the pickle in it; and the format before it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, data in (("a/data.pkl", b"\x80\x02}q\0."), ("a/version", b"3\n")):
            file.writestr(zipfile.ZipInfo(name), data)
    legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\0."
    return [content.getvalue(), legacy]


def read_torch(data, folder):
    """Read a file of PyTorch's; without PyTorch, as far as to its container."""
    path = Path(folder) / "a.pth"
    path.write_bytes(data)
    read_pytorch(path)


ROWS = {
    "archive": Kind(archives, repaired(mutate_bytes, with_checksums), extract),
    "pytorch": Kind(zips, mutate_bytes, read_torch),
}
