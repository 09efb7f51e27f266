"""The Dockerfile itself, built and run: what its images answer, train and leave.

There is no Docker in it, see tests/helpers/containers.py. It takes minutes, root, debootstrap and a
network, so it runs where it is asked for, with a folder where the roots stay for the next time:

    GLORE_IMAGES=/var/tmp/images python -m pytest tests/tools/test_image_runs.py
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.helpers import dockerfile
from tests.helpers.containers import TOOLS, Container, Images
from tests.helpers.places import GOLDEN, ROOT

ASKED = os.environ.get("GLORE_IMAGES")
pytestmark = [
    pytest.mark.skipif(not ASKED, reason="takes minutes: GLORE_IMAGES=FOLDER asks for it"),
    pytest.mark.skipif(os.getuid() != 0, reason="a root of its own takes root"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"),
    pytest.mark.timeout(1800),
]
MODEL = GOLDEN / "small_export"
ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=30)
method, path, *body = sys.argv[1:]
connection.request(method, path, open(body[0], "rb") if body else None)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


@pytest.fixture(scope="module")
def images():
    return Images(ROOT, ASKED)


@pytest.fixture(scope="module")
def serve(images):
    return images.build("serve")


@pytest.fixture(scope="module")
def train(images):
    return images.build("train")


def ask(container, *words):
    """(status, answer) of a client on this machine; (0, why) where nobody answers."""
    done = container.beside([sys.executable, "-c", ASK, *map(str, words)])
    status, _, answer = done.stdout.partition(" ")
    return (int(status), answer) if done.returncode == 0 else (0, done.stderr)


def await_health(container):
    for _ in range(300):
        if ask(container, "GET", "/health")[0] == 200:
            return
        assert container.process.poll() is None, container.output()
        time.sleep(0.1)
    raise AssertionError(container.output())


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (40, 48, 3)).astype(np.uint8))
    return path


def test_the_server_answers_as_predict_does_and_stops_at_the_signal(serve, picture):
    predict = [sys.executable, "-m", "gluon_glore", "predict", "--model", str(MODEL)]
    done = subprocess.run(
        [*predict, "--format", "json", str(picture)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = json.loads(done.stdout)
    with Container(serve, mounts={"/model": (MODEL, "ro")}) as server:
        await_health(server)
        status, answer = ask(server, "POST", "/predict", picture)
        assert status == 200, answer
        given = {row["class"]: row["probability"] for row in json.loads(answer)["top"]}
        wanted = {row["class"]: row["probability"] for row in expected["top"]}
        assert given.keys() == wanted.keys() and len(given) == 5
        assert all(abs(given[name] - wanted[name]) < 1e-4 for name in wanted)
        assert server.run(serve.check).returncode == 0
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "Uid:\t1000\t1000\t1000\t1000\n" in status and "NSpid:\t" in status
        assert server.stop() == 0, server.output()


def test_the_health_check_fails_where_nobody_answers(serve):
    sleep = ["python", "-c", "import time; time.sleep(60)"]
    with Container(replace(serve, entry=sleep, command=[])) as idle:
        assert idle.run(serve.check).returncode == 1


def test_the_entry_point_for_sagemaker_passes_its_word_over(serve, picture):
    page = (ROOT / "docs/docker.md").read_text()
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", page, re.M)
    on_sagemaker = replace(serve, entry=dockerfile.command(entry))
    with Container(on_sagemaker, ["serve"], {"/opt/ml/model": (MODEL, "ro")}) as server:
        await_health(server)
        assert ask(server, "POST", "/predict", picture)[0] == 200
        assert server.stop() == 0, server.output()


def test_a_folder_that_is_none_is_said_in_a_line(serve, tmp_path):
    with Container(serve, mounts={"/model": (tmp_path, "ro")}) as server:
        code = server.process.wait(timeout=60)
        assert code == 2, server.output()
        assert "/model" in server.output() and len(server.output().splitlines()) == 1


def test_the_server_holds_no_compiler_and_can_change_nothing(serve):
    for tool in ("usr/bin/gcc", "usr/bin/c++", "usr/bin/make", "opt/venv/bin/pip"):
        assert not (serve.root / tool).exists()
    packages = {
        path.name for path in (serve.root / "opt/venv/lib/python3.11/site-packages").iterdir()
    }
    assert "gluon_glore" in packages and not packages & {"mxnet", "pip", "setuptools", "train"}
    assert not [path for path in serve.root.rglob("*") if path.lstat().st_uid == 1000]


def test_the_training_image_trains_on_two_processes(train, tmp_path):
    """What compose.yaml runs, two steps of it, as a user of the host; then the run is exported."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["train"]
    mounts = {}
    for (host, place), owner in zip((v.split(":") for v in service["volumes"]), (1000, 4321)):
        mounts[place] = (tmp_path / host, "rw")
        (tmp_path / host).mkdir()
        os.chown(tmp_path / host, owner, owner)

    def done(words, user):
        with Container(replace(train, user=f"{user}:{user}"), words, mounts) as container:
            code = container.process.wait(timeout=300)
            assert code == 0, container.output()

    done("python -m train.digit_pairs data/digit_pairs --train 128 --test 32".split(), 1000)
    two_steps = ["--set", "optim.epochs=1", "--set", "optim.warmup=0"]
    done([*service["command"].split(), *two_steps], 4321)
    run = tmp_path / "runs/digit_pairs"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["processes"] == 2 and run.stat().st_uid == 4321
    done("gluon-glore export runs/digit_pairs --out runs/model --onnx".split(), 4321)
    done("gluon-glore check runs/model".split(), 4321)
