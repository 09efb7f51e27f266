"""Files and folders that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from .errors import InputError, naming

LARGEST_TEXT = 2**21  # bytes of a text file that is read whole
_OTHERS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`, to be written.

    After the body it is renamed to `path`; where the body raises, it is deleted.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(temporary)
        # mkstemp's 0600 is for secrets: a shared model must be as readable as any other new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        put_in_place(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def put_in_place(temporary, path):
    """Rename a file to `path`; when this returns, its bytes and its name are on the disk."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(Path(path).parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def write_text(path, text):
    """Write `text` to a file in UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def open_file(path, most=None, pipe=False):
    """Yield a file, opened to read its bytes: what hangs or never ends is none.

    With `pipe` also a pipe that this process was given, as `<(command)` and /dev/stdin are. Raises
    InputError where it can't be opened, is a named pipe, a device, a socket or a folder, or has
    more than `most` bytes.
    """
    # Without O_NONBLOCK a named pipe that nobody writes to is waited for.
    opener = lambda name, flags: os.open(name, flags | os.O_NONBLOCK)  # noqa: E731
    with naming(path), open(path, "rb", opener=opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            if not (pipe and os.path.basename(os.path.realpath(path)).startswith("pipe:[")):
                what = _OTHERS.get(stat.S_IFMT(status.st_mode), "no file")
                raise InputError(f"{path}: {what}, a file is needed")
            os.set_blocking(file.fileno(), True)
        if most is not None and status.st_size > most:
            raise InputError(f"{path}: {status.st_size} bytes, at most {most} are read")
        yield file


def absent(path, wanted) -> str:
    """Why a path is not the file or folder that is `wanted`: nothing is there, or something else.

    The words of a message behind the path, as "no such symbol file".
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"no such {wanted}"
    except OSError as error:
        return error.strerror
    others = {stat.S_IFDIR: "a folder", stat.S_IFREG: "a file", **_OTHERS}
    return f"{others[stat.S_IFMT(mode)]}, {_a(wanted)} is needed"


def _a(noun):
    """A noun with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def read_text(path, encoding="utf-8", most=LARGEST_TEXT, pipe=False):
    """The text of a file of at most `most` bytes; `pipe` as in `open_file`.

    Raises InputError as `open_file` does, and where the file is no text in UTF-8.
    """
    with open_file(path, most, pipe) as file:
        data = file.read(most + 1)
    if len(data) > most:  # of a pipe, or a file that grows
        raise InputError(f"{path}: more than {most} bytes, at most {most} are read")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8") from None


def sha256(path, most=None) -> str:
    """Hex digest of a file's bytes. Raises InputError as `open_file` does."""
    digest = hashlib.sha256()
    with open_file(path, most) as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def is_taken(directory):
    """Whether a new folder can't be made here: a file is there, or a folder that is not empty."""
    directory = Path(directory)
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


@contextlib.contextmanager
def new_folder(directory, replace=False):
    """Yield a new folder beside `directory`, to be filled.

    After the body it is renamed to `directory`; where the body raises, it is deleted, with the
    folders above it that were made for it. With `replace` a folder that is there already is kept
    until then, and replaced. Raises InputError where the folder can't be written.
    """
    directory = Path(directory)
    with naming(directory), made(directory.parent):
        hidden = tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.")
        with hidden as temporary:
            folder = Path(temporary) / "new"
            folder.mkdir()
            yield folder
            if replace and is_taken(directory):
                os.replace(directory, Path(temporary) / "old")
            os.replace(folder, directory)


@contextlib.contextmanager
def made(folder):
    """Make a folder and those above it; after an error those that are new and empty are removed."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in new:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
