"""One run at a time in a folder: a lock that ends with the process that holds it."""

import contextlib
import datetime
import errno
import fcntl
import os
import socket
import sys
from pathlib import Path

from gluon_glore.utils.errors import InputError, naming

LOCK_FILE = ".lock"  # in the run's folder: who trains in it, one line
# What flock says on file systems without locks, such as some of the network's.
WITHOUT_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


@contextlib.contextmanager
def run_lock(out):
    """Hold the folder of a run, which is made where it is missing.

    Raises InputError where another process holds it, naming it, or the folder can't be written.
    The system lets go of the lock when the process ends, however it does. Where a file system has
    no locks that is said, and the run goes on. Folders made here go again if they stay empty.
    """
    out = Path(out)
    with naming(out), contextlib.ExitStack() as cleanup:
        cleanup.callback(_remove_empty, _make(out))
        file = _take(out / LOCK_FILE)
        cleanup.callback(_release, file, out / LOCK_FILE)
        kept = cleanup.pop_all()
    with kept:
        yield


def _take(path):
    """The file at `path`, locked and with this process's name in it. Raises InputError."""
    locked = False
    while not locked:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (open as long as the run)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                _warn(path, f"no locks on its file system ({error.strerror})", _read(file))
                break
            with file:
                if not isinstance(error, BlockingIOError):
                    raise
                raise InputError(
                    f"{path.parent}: another run goes on in it, {_read(file) or 'just begun'}: "
                    "wait until it ends, stop it, or give another --out"
                ) from None
        # Its holder deletes the file at its end: the lock of a file without a name holds nothing.
        locked = _is_at(file, path)
        if not locked:
            file.close()
    before, host = _read(file), socket.gethostname()
    if locked and before and f" on {host} " not in before:
        _warn(path, "not every file system shows its locks to other hosts", before)
    now = datetime.datetime.now(datetime.timezone.utc)
    file.truncate(0)
    print(f"process {os.getpid()} on {host} since {now:%Y-%m-%d %H:%M:%S} UTC", file=file)
    file.flush()
    return file


def _warn(path, why, before):
    """Say that a second run in the folder would not be noticed, and who was there `before`."""
    known = f"; one that has not ended, or was killed: {before}" if before else ""
    print(f"warning: {path.parent}: a second run may go unnoticed, {why}{known}", file=sys.stderr)


def _read(file):
    """The first line of a lock's file: its holder, or who held it last."""
    file.seek(0)
    return file.readline().strip()


def _is_at(file, path):
    """Whether an open file is the one that a path names."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False


def _release(file, path):
    """Delete the file while it is locked, then let go of it."""
    with contextlib.suppress(OSError):
        path.unlink()
    file.close()


def _make(folder):
    """Make a folder and those above it; returns what was made, deepest first."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders):
    """Delete folders, up to the first that holds something."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()
