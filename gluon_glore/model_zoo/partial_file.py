"""The part of a file that has been downloaded so far, and a note of where it comes from."""

import hashlib
import json
from pathlib import Path

from tqdm import tqdm

from ..utils import kinds
from ..utils.errors import InputError
from ..utils.files import put_in_place, read_text
from ..utils.json_text import parse_json

_BLOCK = 2**18
_PAGES = (b"<!doctype", b"<html", b"<?xml")
_BLANK = b"\xef\xbb\xbf \t\r\n\f\v"  # with UTF-8's byte order mark
_HEAD = 512  # bytes in which a page must have begun
_NOTE = kinds.table(
    {
        "url": kinds.text(),
        "validator": kinds.text(),
        "size": kinds.optional(kinds.whole(0, 2**63)),
    }
)


class Cut(InputError):
    """The connection was cut before the end; another attempt may get the rest."""


class Part:
    """The first `length` of the `size` bytes (None: unknown) of the file at `url`, in `PATH.part`.

    A context manager. After Cut, Ctrl-C or kill -9 the bytes stay if there is a `validator` by
    which a server knows the same file again; `PATH.part.json` has it, and the next Part of the same
    `path` and `url` goes on from there. Any other end removes both. Raises InputError for a web
    page and for more than `limit` bytes.
    """

    def __init__(self, path, url, limit):
        self._place, self._url, self._limit = Path(path), url, limit
        self._path, self._note = Path(f"{path}.part"), Path(f"{path}.part.json")

    def __enter__(self):
        if self._place.is_dir():
            raise InputError(f"{self._place}: a folder, the path of a file is needed")
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._path, "a+b")  # noqa: SIM115, closed in __exit__
        self._bar = tqdm(
            desc=self._place.name, unit="B", unit_scale=True, unit_divisor=1024, disable=None
        )
        try:
            note = parse_json(read_text(self._note))
            _NOTE.check(note, "note")
        except InputError:  # none, or half of one, as a killed process may have written it
            note = {"url": None}
        if note["url"] == self._url and self._path.stat().st_size <= self._limit:
            self._clear(note["size"], note["validator"])
            self._file.seek(0)
            for block in blocks(self._file):
                self._count(block)
        else:
            self.start(size=None, validator=None)
        return self

    def __exit__(self, kind, *_):
        self._bar.close()
        refused = kind is not None and issubclass(kind, Exception) and not issubclass(kind, Cut)
        if refused or not (self.length and self.validator):
            self._path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
        self._file.close()

    @property
    def whole(self):
        """Whether all bytes have come; False where the server does not say how many there are."""
        return self.length == self.size

    def start(self, size, validator):
        """Begin, or begin again, with no bytes."""
        self.allow(size)
        self._file.truncate(0)
        self._clear(size, validator)
        if validator is None:
            self._note.unlink(missing_ok=True)
        else:
            note = {"url": self._url, "validator": validator, "size": size}
            self._note.write_text(json.dumps(note), encoding="utf-8")

    def allow(self, size):
        """Raise InputError for a size above the limit."""
        if size is not None and size > self._limit:
            raise InputError(f"{self._url}: {size} bytes or more, at most {self._limit} allowed")

    def write(self, block):
        """Add a block of bytes."""
        self.allow(self.length + len(block))
        self._count(block)
        self._file.write(block)

    def hexdigest(self):
        """The sha256 of the bytes that have come."""
        return self._digest.hexdigest()

    def publish(self):
        """Put the file in its place, in one step."""
        self._file.flush()
        put_in_place(self._path, self._place)
        self._note.unlink(missing_ok=True)

    def _clear(self, size, validator):
        self.length, self.size, self.validator = 0, size, validator
        self._digest, self._head = hashlib.sha256(), b""
        self._bar.reset()
        self._bar.total = size

    def _count(self, block):
        if len(self._head) < _HEAD:
            self._head += block[:_HEAD]
            if self._head.lstrip(_BLANK).lower().startswith(_PAGES):
                raise web_page(self._url)
        self.length += len(block)
        self._digest.update(block)
        self._bar.update(len(block))


def blocks(file):
    """The rest of an open file, in blocks."""
    return iter(lambda: file.read(_BLOCK), b"")


def web_page(url):
    """The InputError for a page, say of an error, that came in the place of a file."""
    return InputError(f"{url}: a web page, not a file")
