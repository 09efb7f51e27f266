"""A Dockerfile built and run without Docker: each stage is a root of its own.

    images = Images(ROOT, folder)
    with Container(images.build("serve"), mounts={"/model": (model, "ro")}) as container:
        done = container.run(["gluon-glore", "list"])

A base is made by debootstrap, RUN is chroot into the root, COPY copies. A container is a process in
namespaces of its own: processes, mounts, name, and a network that is the loopback alone; its root
is read-only. Users, folders and variables are those that the file says. There are no layers, no
limits of memory and no seccomp. Takes Linux and root.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List

from tests.helpers import dockerfile

TOOLS = ("chroot", "debootstrap", "ip", "mount", "nsenter", "unshare")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What the official image has beside the release itself.
SOURCES = """deb http://deb.debian.org/debian {0} main
deb http://deb.debian.org/debian {0}-updates main
deb http://deb.debian.org/debian-security {0}-security main
"""
OUTSIDE = "/mnt/certificates.crt"  # where a RUN finds this machine's certificates
# root user folder build|run, (source target ro|rw)..., --, what `env` is told. Process 1 of the
# container is what the last line becomes.
ENTER = """
root=$1 user=$2 folder=$3 kind=$4; shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
while [ "$1" != -- ]; do
  [ ! -d "$1" ] || mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
if [ "$kind" = run ]; then
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  ip link set lo up
  hostname container
  echo "127.0.0.1 localhost container" > "$root/etc/hosts"
  mount -o remount,bind,ro "$root"
fi
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env -i -C "$folder" "$@"
"""


@dataclass(frozen=True)
class Image:
    """A root, and what the Dockerfile says of processes in it. `print` is of what it is made of."""

    root: Path
    print: str
    environment: Dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    arguments: Dict[str, str] = field(default_factory=dict)  # ARG: of RUN alone
    folder: str = "/"
    user: str = "0:0"
    entry: List[str] = field(default_factory=list)
    command: List[str] = field(default_factory=list)
    check: List[str] = field(default_factory=list)

    def variables(self, **more):
        """NAME=VALUE of a process, as Docker sets them: HOME by the list of users."""
        users = [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]
        homes = {user[2]: user[5] for user in users}
        home = homes.get(self.user.partition(":")[0], "/")
        return [
            f"{name}={value}" for name, value in {"HOME": home, **self.environment, **more}.items()
        ]


class Images:
    """Builds stages of `context`/Dockerfile in `folder`. A root whose print is the same is kept."""

    def __init__(self, context, folder, arguments=()):
        self.context, self.folder = Path(context), Path(folder).resolve()
        self.file = dockerfile.read(self.context / "Dockerfile")
        self.sent = dockerfile.context(self.context)
        self.arguments = dict(arguments)

    def build(self, name):
        """The `Image` of a stage, or of a base such as debian:bookworm-slim."""
        if name not in self.file.stages:
            return self._debian(re.fullmatch(r"debian:([a-z]+)-slim", name)[1])
        stage = self.file.stages[name]
        base = self.build(stage.base)
        steps = list(self._steps(stage, base))
        image = steps[-1][2]
        return self._kept(image, lambda: self._make(name, base, steps))

    def _debian(self, release):
        image = Image(self.folder / f"debian-{release}.root", release)

        def make():
            subprocess.run(["debootstrap", "--variant=minbase", release, image.root], check=True)
            (image.root / "etc/apt/sources.list").write_text(SOURCES.format(release))

        return self._kept(image, make)

    def _steps(self, stage, base):
        """(instruction, text, image as it is after it) of a stage."""
        root = self.folder / f"{stage.name}.root"
        image = replace(base, root=root, entry=[], command=[], check=[])
        for instruction, text in stage.instructions:
            changes = {}
            if instruction == "ARG":
                name, _, default = text.partition("=")
                value = self.arguments.get(name, default)
                changes["arguments"] = {**image.arguments, name: value}
            elif instruction == "ENV":
                name, _, value = dockerfile.filled(text, image.environment).partition("=")
                changes["environment"] = {**image.environment, name: value}
            elif instruction == "WORKDIR":
                changes["folder"] = text
            elif instruction == "USER":
                changes["user"] = text
            elif instruction == "ENTRYPOINT":
                changes["entry"] = dockerfile.command(text)
            elif instruction == "CMD":
                changes["command"] = dockerfile.command(text)
            elif instruction == "HEALTHCHECK":
                changes["check"] = dockerfile.check(text)[1]
            elif instruction not in ("COPY", "EXPOSE", "RUN"):
                raise ValueError(f"{instruction} {text}: nothing here does that")
            made_of = [image.print, instruction, text, changes, self._copied(instruction, text)]
            digest = hashlib.sha256(repr(made_of).encode()).hexdigest()
            image = replace(image, print=digest, **changes)
            yield instruction, text, image

    def _copied(self, instruction, text):
        """What tells the sources of a COPY from others; nothing for other instructions."""
        if instruction != "COPY":
            return ""
        stage, sources, _ = dockerfile.copy(text)
        if stage:
            return self.build(stage).print
        digest = hashlib.sha256()
        for path in self.files(sources):
            digest.update(f"{path.relative_to(self.context)} {path.stat().st_size} ".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def files(self, sources):
        """The files of the context that sources of a COPY are. Raises ValueError for no file."""
        found = []
        for source in sources:
            place = self.context / source
            below = [path for path in self.sent if path == place or place in path.parents]
            if not below:
                raise ValueError(f"COPY {source}: a builder is not sent it")
            found += below
        return found

    def _kept(self, image, make):
        """The image; made, unless its root was made of the same."""
        mark = image.root.with_suffix(".print")
        if not mark.exists() or mark.read_text() != image.print:
            mark.unlink(missing_ok=True)
            if image.root.exists():
                shutil.rmtree(image.root)  # nothing is mounted: mounts ended with their process
            self.folder.mkdir(parents=True, exist_ok=True)
            make()
            mark.write_text(image.print)
        return image

    def _make(self, name, base, steps):
        root = steps[-1][2].root
        subprocess.run(["cp", "--archive", "--reflink=auto", base.root, root], check=True)
        for instruction, text, image in steps:
            print(f"{name}: {instruction} {text}", flush=True)
            if instruction == "WORKDIR":
                (root / text.strip("/")).mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self._copy(text, root, image.folder)
            elif instruction == "RUN":
                with _outside(root) as (mounts, variables):
                    words = image.variables(**image.arguments, **variables)
                    words += dockerfile.command(text)
                    subprocess.run(_enter(image, "build", mounts, words), check=True)

    def _copy(self, text, root, folder):
        """COPY: what a folder holds, or files; into a folder where the destination ends with /."""
        stage, sources, destination = dockerfile.copy(text)
        place = root / os.path.normpath(os.path.join(folder, destination)).strip("/")
        if stage:
            for source in sources:
                origin = self.build(stage).root / source.strip("/")
                place.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "--archive", f"{origin}/.", place], check=True)
            return
        for path in self.files(sources):
            target = place
            if path.relative_to(self.context).as_posix() not in sources:
                (source,) = [self.context / s for s in sources if self.context / s in path.parents]
                target = place / path.relative_to(source)
            elif destination.endswith("/"):
                target = place / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


class Container:
    """A process of an image while the context lasts; `mounts` are {place: (path, "ro" or "rw")}.

    `command` takes the place of the image's CMD, behind its ENTRYPOINT.
    """

    def __init__(self, image, command=(), mounts=()):
        self.image = image
        words = [*image.variables(), *image.entry, *(command or image.command)]
        places = [[str(path), place, how] for place, (path, how) in dict(mounts).items()]
        self._started = _enter(image, "run", places, words)
        self.process = self.pid = None

    def __enter__(self):
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            self._started, stdout=self._output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        mine = f"/proc/{self.process.pid}"
        children = Path(f"{mine}/task/{self.process.pid}/children")
        for _ in range(200):
            time.sleep(0.05)
            self.pid = int(children.read_text() or 0) if children.exists() else 0
            if self.pid and os.path.samefile(f"/proc/{self.pid}/root", self.image.root):
                break
            assert self.process.poll() is None, self.output()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()  # and with it process 1, and with that all others
            self.process.wait()
        self._output.close()

    def output(self):
        """All that its process has written so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def run(self, words):
        """Run a command in the container, as its user: what `docker exec` does."""
        user, group = self.image.user.split(":")
        inside = ["--mount", "--pid", "--root", "--setuid", user, "--setgid", group]
        place = ["/usr/bin/env", "-i", "-C", self.image.folder, *self.image.variables()]
        return self._join([*inside, *place, *words])

    def beside(self, words):
        """Run a command of this machine that sees the container's network."""
        return self._join(words)

    def _join(self, words):
        command = ["nsenter", "--target", str(self.pid), "--net", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def stop(self, seconds=30):
        """Send SIGTERM to process 1, as `docker stop` does; returns its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(timeout=seconds)


def _enter(image, kind, mounts, words):
    """The command that runs `env` with `words` in an image's root."""
    apart = ["--mount", "--pid", "--fork", "--kill-child"]
    apart += ["--net", "--uts"] if kind == "run" else []
    places = [word for mount in mounts for word in mount]
    told = [str(image.root), image.user, image.folder, kind, *places, "--", *words]
    return ["unshare", *apart, "sh", "-ec", ENTER, "sh", *told]


@contextlib.contextmanager
def _outside(root):
    """(mounts, variables) with which pip in a RUN reaches its registry as on this machine."""
    kept = ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    variables = {name: value for name, value in os.environ.items() if name.upper() in kept}
    found = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    mounts, place = [["/etc/resolv.conf", "/etc/resolv.conf", "ro"]], root / OUTSIDE.strip("/")
    (root / "etc/resolv.conf").touch()
    if found:
        place.touch()
        mounts.append([found, OUTSIDE, "ro"])
        variables["PIP_CERT"] = OUTSIDE
    try:
        yield mounts, variables
    finally:
        place.unlink(missing_ok=True)
