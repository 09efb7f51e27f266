"""Files and folders that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from .errors import naming


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


def sha256(path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
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

    After the body it is renamed to `directory`; where the body raises, it is deleted. With
    `replace` a folder that is there already is kept until then, and replaced. Raises InputError
    where the folder can't be written.
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
