"""Files and folders that are whole or absent: written beside their place, renamed."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from .errors import naming


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; on success it takes its place, on an error it goes."""
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
    """Rename a whole file to `path`, its bytes and its name on the disk when this returns."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(Path(path).parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def write_text(path, text):
    """Write a whole text file or none."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def is_taken(directory):
    """Whether something stands where a new folder is wanted: a file, or a folder with files."""
    directory = Path(directory)
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


@contextlib.contextmanager
def new_folder(directory, replace=False):
    """Yield a folder beside `directory` that takes its place on success; on an error it goes.

    With `replace` another folder may stand there, and stays until then. Raises InputError where it
    can't be written.
    """
    directory = Path(directory)
    with naming(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=directory.parent, prefix=f".{directory.name}."
        ) as temporary:
            folder = Path(temporary) / "new"
            folder.mkdir()
            yield folder
            if replace and is_taken(directory):
                os.replace(directory, Path(temporary) / "old")
            os.replace(folder, directory)
