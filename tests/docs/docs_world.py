"""The commands and examples of the documentation, and the small world that they run in.

A page's fenced blocks are `Block`s. Those of sh and Python run as they are written, but for what
`REWRITTEN` says, in a folder that has what the pages speak of: pictures, videos, records, runs,
under the same names and small. A comment right before a block says what else it is:

    <!-- needs: ImageNet, GPU -->   can't run here, for one of `REASONS`; what can be is checked
    <!-- file: my_task.py -->       the text of a file, for the blocks behind it
"""

import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import yaml

from tests.helpers.places import ROOT
from tests.helpers.scene_folders import VOC_KEYS, like_voc

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
REASONS = {
    "CIFAR-10",
    "ImageNet",
    "Cityscapes",
    "Kinetics",
    "UCF-101",
    "Docker",
    "GPU",
    "several hosts",
    "several networks",
    "network",
    "PyTorch",
    "hours of computing",
}
RUN = ("sh", "python")
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>needs|file): (?P<what>.*?) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)

# What a command is changed to, and why.
REWRITTEN = (
    (r"-np \d+", "-np 2"),  # cores, not GPUs
    # One process, but for one command: what else runs on two has tests of its own.
    (r"^horovodrun -np 2 (?!python -m train\.imagenet .*val\.rec$)", ""),
    (r"\s+# .*", ""),
    (
        r"^python (examples/\w+\.py) photos/train photos/val",  # as few as the world has
        rf"python {ROOT}/\1 photos photos --epochs 1 --batch 4",
    ),
    (r"--window 768 768", "--window 48 48"),  # of small scenes
    (r"(?<![\w.])/data/", "data/"),  # the reader's own place
    (r"\bROOT\b", "data/cityscapes"),
    (r"\bNAME\b", "tiny_glore_0_1"),
    (r"localhost:\d+", "localhost:$PORT"),  # one that is free
    # The catalogue knows the pixels of the real network, not of the small one in a file so called.
    (r"import resnet50_w-glore_2-3\.tar", r"\g<0> --pixels 0-1 --resize 0"),
    (r"size=\[224, 224\](.*) --set data\.resize=256", r"size=[32, 32]\1 --set data.resize=32"),
    # Weights of the real network, not of the small one; but GluonCV's is its own.
    (r" --set model\.pretrained=(?!gluoncv)\S+", ""),
    (r"manifest, onnx=True\)", "manifest, onnx=True, force=True)"),  # where commands made it before
    (r"PICTURES, EPOCHS = \d+, \d+", "PICTURES, EPOCHS = 64, 1"),
    (r"^\. \.venv/bin/activate", "true"),  # the environment that runs the tests is there
    (r"^make ", f"make -n -C {shlex.quote(str(ROOT))} "),  # CI and users run the targets
)
# Servers run until their block is done.
SERVERS = (
    (r"^(python -m http\.server)(.*)", r"\1 $PORT\2"),
    (r"^(python -m gluon_glore serve .*?)(?: --port \d+)?$", r"\1 --port $PORT"),
)
# Run by runpy, as `python -m` does it, but without a process of its own.
MODULE = re.compile(r"python -m (?:gluon_glore|train\.[\w.]+)(?: [^|&;$<>*]*)?")
PRELUDE = """
servers=
trap '[ -z "$servers" ] || kill -9 $servers 2>/dev/null' EXIT
await() {
  servers="$servers $!"
  for i in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && return; sleep 0.1; done
  return 1
}
"""
END = """
for server in $servers; do kill -TERM $server; wait $server || [ $? = 143 ]; done
servers=
"""
# The configurations that stand at the places of the pages', and how they differ.
SMALL = {
    "imagenet/*.yaml": (
        "digit_pairs.yaml",
        {"data": {"resize": 64}, "optim": {"epochs": 1, "batch_size": 32, "warmup": 0}},
    ),
    "finetune.yaml": (
        "digit_pairs.yaml",
        {
            "model": {"classes": 0, "pretrained": "zoo", "new_classifier": True},
            "data": {"train": "photos", "val": "photos", "class_names": "", "resize": 64},
            "augment": {"area": [0.5, 1]},
            "optim": {"epochs": 1, "batch_size": 4, "warmup": 0},
        },
    ),
    "cityscapes/*.yaml": (
        "camvid.yaml",
        {
            "data": {"root": "data/cityscapes", "size": [32, 40]},
            "optim": {"epochs": 1, "batch_size": 4, "warmup": 0},
        },
    ),
    "voc/*.yaml": (
        "camvid.yaml",
        {
            "data": {
                "root": "data/VOC2012",
                "classes": "data/VOC2012/classes.txt",
                "size": [32, 40],
                **VOC_KEYS,
            },
            "optim": {"epochs": 1, "batch_size": 4, "warmup": 0},
        },
    ),
    "kinetics/*.yaml": (
        "moving_digits.yaml",
        {
            "data": {"train": "train.txt", "val": "val.txt"},
            "optim": {"epochs": 1, "batch_size": 4, "warmup": 0, "precise_norm": 1},
        },
    ),
}
# What a block speaks of and no block before it has made.
MADE = {
    "runs/r50": "python -m train.imagenet --out runs/r50 "
    "--config configs/imagenet/resnet50_glore_2_3.yaml",
    "runs/city": "python -m train.cityscapes --out runs/city "
    "--config configs/cityscapes/fcn_resnet50_glore_1_cityscapes.yaml",
    "runs/voc": "python -m train.cityscapes --out runs/voc "
    "--config configs/voc/fcn_resnet50_glore_1.yaml",
    "runs/kinetics": "python -m train.kinetics --out runs/kinetics "
    "--config configs/kinetics/resnet50_3d_glore_2_3_kinetics400.yaml",
    "runs/plain": "cp -r runs/r50 runs/plain",
    "runs/mine": "cp -r runs/r50 runs/mine",
    "runs/camvid_plain": "cp -r runs/city runs/camvid_plain",
    "runs/camvid_glore": "cp -r runs/city runs/camvid_glore",
    "model": "python -m gluon_glore export runs/r50 --out model --onnx",
    "scenes_model": "python -m gluon_glore export runs/city --out scenes_model --onnx --any-size",
    "cifar-0000.params": "python -c 'from tests.docs.docs_world import *; write_symbol()'",
    "mine.params": "python -c 'from tests.docs.docs_world import *; write_own_loop()'",
    "imagenet-a": "cp -r imagenet/val imagenet-a",
    **dict.fromkeys(
        ("digits/pictures", "digits/classes.txt"),
        "python -m train.digit_pairs digits --train 50 --test 50",
    ),
    "zoo": "python -m gluon_glore publish runs/r50 --out zoo",
    "resnet50_lite-0000.params": "python -c 'from tests.docs.docs_world import *; write_lite()'",
    "resnet18_v2.params": "python -c 'from tests.docs.docs_world import *; write_gluoncv()'",
    "gluoncv_resnet18_v2": "python -m gluon_glore import resnet18_v2.params "
    "--name resnet18_v2 --pixels torchvision --no-compare --out gluoncv_resnet18_v2",
    **dict.fromkeys(
        ("pairs_model", "pairs-symbol.json"),
        "python -c 'from tests.docs.docs_world import *; write_pairs()'",
    ),
    "resnet50_w-glore_2-3.tar": "python -c 'from tests.docs.docs_world import *; write_release()'",
}


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark` is "needs" or "file", and `what` its value, where there is one."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    what: str = ""

    @property
    def lines(self):
        """The commands, continued lines joined, without comments on lines of their own."""
        joined = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in joined if line.strip() and not line.startswith("#")]

    @property
    def needs(self):
        return set(self.what.split(", ")) if self.mark == "needs" else set()

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(page):
    """All fenced blocks of a page of the repository, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, 1 + text.count("\n", 0, found.start()), **found.groupdict(default=""))
        for found in BLOCK.finditer(text)
    ]


class World:
    """A folder with what the pages speak of. `run` runs commands there, `script` Python."""

    def __init__(self, folder):
        self.folder = folder
        self.done = set()  # what ran once need not run again: the pages repeat the README
        write_world(folder)

    def run(self, lines):
        """Run commands of a page as rewritten, in one shell. Raises AssertionError with the output.

        What a command writes is removed first, unless it goes on with it.
        """
        commands = []
        for line in lines:
            line = rewrite(line)
            if line in self.done:
                continue
            self.done.add(line)
            out = re.search(r"--(?:out|submit) (\S+)", line)
            self.make(line.replace(out[0], "") if out else line, commands)
            if out and "--resume" not in line:
                commands.append(f"rm -rf {out[1]}")
            commands.append(line)
        text = "\n".join(commands)
        if "$PORT" in text and "await" not in text:
            self.make("model", commands)
            commands.insert(0, "python -m gluon_glore serve model --port $PORT & await")
        if "$PORT" in "\n".join(commands):  # a server, which lasts as long as its shell
            self._shell("\n".join(["set -eo pipefail", PRELUDE, *commands, END]))
            return
        for command in commands:
            self._command(command)

    def make(self, text, commands=()):
        """Make what a text speaks of and is neither there nor made by the commands before it."""
        for path, command in MADE.items():
            spoken = re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w-])", text)
            before = any(re.search(rf"--out {re.escape(path)}\b", c) for c in commands)
            if spoken and not before and not (self.folder / path).exists():
                self.make(command.replace(path, ""))
                self._command(command)

    def script(self, text):
        """Run a Python program."""
        text = rewrite(text)
        self.make(text)
        program = self.folder / "example.py"
        program.write_text(text, encoding="utf-8")
        self._shell("python example.py")

    def _command(self, command):
        """Run one command; a module of the project in this process, which has imported MXNet."""
        module = MODULE.fullmatch(command)
        if not module:
            self._shell(f"set -eo pipefail\n{command}")
            return
        output, name, *arguments = io.StringIO(), *shlex.split(command)[2:]
        with contextlib.ExitStack() as stack:
            stack.callback(os.chdir, os.getcwd())
            stack.enter_context(mock.patch.dict(os.environ, GLORE_HOME=str(self.folder / "home")))
            stack.enter_context(mock.patch.object(sys, "argv", [name, *arguments]))
            stack.enter_context(contextlib.redirect_stdout(output))
            stack.enter_context(contextlib.redirect_stderr(output))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", RuntimeWarning)  # it is imported here already
            os.chdir(self.folder)
            try:
                runpy.run_module(name, run_name="__main__", alter_sys=True)
                code = 0
            except SystemExit as ended:
                code = ended.code or 0
        assert code == 0, f"{command}\n\nended with {code}:\n{output.getvalue()}"

    def _shell(self, script):
        """Run a script in the folder, with this Python and the project in its path."""
        environment = dict(
            os.environ,
            OMP_NUM_THREADS="1",  # whatever else these cores have to do
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            PYTHONPATH=f"{ROOT}",
            GLORE_HOME=str(self.folder / "home"),
            PORT=str(free_port()),
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=300,
        )
        assert done.returncode == 0, f"{script}\n\nended with {done.returncode}:\n{done.stdout}"


def rewrite(text):
    """A command, or a Python program, as it runs in the world."""
    for pattern, replacement in REWRITTEN:
        text = re.sub(pattern, replacement, text)
    for pattern, replacement in SERVERS:
        if re.match(pattern, text):
            return f"{re.sub(pattern, replacement, text)} & await"
    return text


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def write_world(folder):
    """Pictures, videos, scenes, records, lists and configurations, a few of each."""
    from tests.helpers.street_scenes import write_scenes
    from train.digit_pairs import CLASS_NAMES, draw_pictures, load_digits, write_digits

    write_digits(folder / "data/digit_pairs", train=96, test=24)
    for name in ("train", "val"):
        for suffix in (".rec", ".idx"):
            shutil.copy(
                folder / f"data/digit_pairs/{name}{suffix}", folder / f"data/{name}{suffix}"
            )
    train_digits, test_digits = load_digits()
    for split, digits, count in (("train", train_digits, 80), ("val", test_digits, 24)):
        for i, (picture, same) in enumerate(draw_pictures(digits, count, 0)):
            write_picture(folder / f"imagenet/{split}/{CLASS_NAMES[2][same]}/{i}.png", picture)
    shutil.copytree(folder / "data/digit_pairs/pictures", folder / "pictures")
    shutil.copytree(folder / "data/digit_pairs/pictures", folder / "folder")
    rng = np.random.default_rng(0)
    for i in range(12):
        kind = ("cat", "dog")[i % 2]
        write_picture(folder / f"photos/{kind}/{i}.jpg", rng.integers(0, 255, (60, 80, 3)))
    for name in ("picture.jpg", "photo.jpg"):
        write_picture(folder / name, rng.integers(0, 255, (72, 80, 3)))
    for split, count in (("train", 8), ("val", 4), ("test", 2)):
        write_scenes(folder / "data/cityscapes", split, count)
    like_voc(folder / "data/cityscapes", folder / "data/VOC2012")
    write_videos(folder)
    for pattern, (small, differences) in SMALL.items():
        config = yaml.safe_load((ROOT / "configs" / small).read_text())
        for section, values in differences.items():
            config[section].update(values)
        for path in ROOT.glob(f"configs/{pattern}"):
            place = folder / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(yaml.safe_dump(config))


def write_picture(path, pixels):
    """Write a picture, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels.astype(np.uint8))


def write_videos(folder):
    """`video.mp4`, and `videos/` of two classes with the lists train.txt and val.txt."""
    try:
        import av  # noqa: F401
    except ImportError:
        return
    from tests.helpers.videos import moving, write_video

    (folder / "videos").mkdir()
    write_video(folder / "video.mp4", moving(size=(64, 64)))
    for split, seeds, place in (
        ("train", range(8), "videos/"),
        ("val", range(8, 10), "videos/"),
        ("test", range(8, 10), ""),  # for --root videos
    ):
        lines = [f"{place}{i}.mp4\t{('opposite', 'same')[i % 2]}\n" for i in seeds]
        (folder / f"{split}.txt").write_text("".join(lines))
    for seed in range(10):
        write_video(folder / f"videos/{seed}.mp4", moving(30, (64, 64), seed))


def write_lite():
    """`resnet50_lite-0000.params`, at random: of the real network, for Python examples."""
    from gluon_glore import get_model, save_weights

    net = get_model("resnet50_lite")
    net.initialize()
    save_weights(net, "resnet50_lite-0000.params")


def write_own_loop():
    """`mine.params`, as Gluon saves the parameters of a network: at random."""
    from gluon_glore import get_model

    net = get_model("cifar_resnet14", classes=10)
    net.initialize()
    net.save_parameters("mine.params")


def write_symbol():
    """`cifar-symbol.json` and `cifar-0000.params`: `net.export` of a network, at random."""
    import mxnet as mx
    from gluoncv import model_zoo

    net = model_zoo.get_model("cifar_resnet20_v1", classes=3)
    net.initialize()
    net.hybridize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.export("cifar")


def write_gluoncv():
    """`resnet18_v2.params`: the parameters of GluonCV's network, at random."""
    import mxnet as mx
    from gluoncv import model_zoo

    net = model_zoo.get_model("resnet18_v2")
    net.initialize()
    net(mx.nd.zeros((1, 3, 224, 224)))
    net.save_parameters("resnet18_v2.params")


def write_pairs():
    """`pairs_model`, `pairs-symbol.json`: what the examples of docs/your-network.md export."""
    examples = [b.text for b in blocks("docs/your-network.md") if b.language == "python"]
    (last,) = (number for number, text in enumerate(examples) if "export_model(" in text)
    exec(rewrite("".join(examples[: last + 1])), {})


def write_release():
    """`resnet50_w-glore_2-3.tar` in the released layout; in it a small network."""
    from gluon_glore import get_spec
    from tests.helpers import released

    spec = get_spec("tiny_glore_0_1")
    released.write_tar(Path("resnet50_w-glore_2-3.tar").resolve(), *released.network(spec))
