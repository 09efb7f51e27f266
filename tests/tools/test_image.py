"""Dockerfile, .dockerignore, compose.yaml, tools/image.sh and docs/docker.md say the same.

What they make is built and run in tests/tools/test_image_runs.py.
"""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from gluon_glore.__main__ import parse_args
from tests.helpers import dockerfile
from tests.helpers.containers import Images
from tests.helpers.places import ROOT

FILE = dockerfile.read(ROOT / "Dockerfile")
SCRIPT = ROOT / "tools/image.sh"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
PAGE = (ROOT / "docs/docker.md").read_text()
# Of the Compose specification, what this file uses.
SERVICE = {
    *("build", "cap_drop", "command", "deploy", "image", "init", "ports", "profiles", "read_only"),
    *("restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes"),
}


def stages_of(name):
    """A stage and all that it is made from."""
    if name not in FILE.stages:
        return set()
    stage = FILE.stages[name]
    copied = {dockerfile.copy(text)[0] for text in stage.texts("COPY")} - {None}
    return {name}.union(*map(stages_of, {stage.base, *copied}))


def arguments_of(name):
    """The build arguments that a stage, or what it is made from, takes."""
    texts = [text for stage in stages_of(name) for text in FILE.stages[stage].texts("ARG")]
    return {text.partition("=")[0] for text in texts}


def test_what_is_sent_to_the_builder_is_what_is_copied(tmp_path):
    images = Images(ROOT, tmp_path)
    copied = set()
    for stage in FILE.stages.values():
        for text in stage.texts("COPY"):
            source, sources, _ = dockerfile.copy(text)
            copied |= set(images.files(sources) if source is None else ())
    assert copied == set(images.sent)
    names = {path.relative_to(ROOT).as_posix() for path in copied}
    for folder in ("gluon_glore", "train", "symbols", "configs"):
        there = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        assert there and {path.relative_to(ROOT).as_posix() for path in there} <= names


def test_what_lies_about_in_a_checkout_is_not_sent(tmp_path):
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    sent = ["gluon_glore/data/image.py", "train/data/batches.py", "pyproject.toml"]
    junk = [".git/config", ".venv/bin/python", "data/a.rec", "runs/r/state", "model/a.onnx"]
    junk += ["gluon_glore/data/__pycache__/image.cpython-311.pyc", "tools/audit.py"]
    for name in (*sent, *junk):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in dockerfile.context(tmp_path)] == sorted(
        sent
    )


def test_what_the_helper_does_not_know_is_refused(tmp_path):
    file = tmp_path / "Dockerfile"
    file.write_text("FROM debian AS a\nADD x y\n")
    with pytest.raises(ValueError, match="ADD is none of"):
        dockerfile.read(file)
    with pytest.raises(ValueError, match="--from alone"):
        dockerfile.copy("--chmod=755 a b")


def test_each_run_is_a_step_of_the_script():
    steps = []
    for stage in FILE.stages.values():
        for text in stage.texts("RUN"):
            words = shlex.split(dockerfile.command(text)[-1]) if text[0] != "[" else None
            words = words or dockerfile.command(text)
            assert words[:2] == ["bash", "tools/image.sh"], text
            steps.append(words[2])
    text = SCRIPT.read_text()
    explained = re.findall(r"^#   ([\w-]+)", text, re.M)
    functions = re.findall(r"^([a-z_]+)\(\) \{$", text, re.M)
    assert sorted(steps) == sorted(explained) and len(set(steps)) == len(steps)
    assert {step.replace("-", "_") for step in steps} == set(functions) - {"packages"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a step is base, serve-build EXTRAS, train-build cpu|gpu or train, not nothing"),
        (["packages"], "a step is .*, not packages"),
        (["serve-build"], "serve-build takes one argument"),
        (["base", "more"], "base takes no argument"),
    ],
)
def test_a_wrong_step_is_refused_in_one_line(words, message):
    done = subprocess.run(["bash", SCRIPT, *words], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(f"image: {message}\n".replace("|", r"\|"), done.stderr)


def test_the_scripts_are_well_formed():
    for script in (SCRIPT, ROOT / "tools/setup.sh"):
        subprocess.run(["bash", "-n", script], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", script], check=True)


def test_images_run_as_a_user_that_the_script_makes():
    (uid,) = re.findall(r"useradd .*--uid (\d+)", SCRIPT.read_text())
    assert FILE.images == ["train", "serve"]  # the last is what is built unless told
    for name in FILE.images:
        assert FILE.stages[name].texts("USER") == [f"{uid}:{uid}"] and int(uid) > 0
        order = [name for name, _ in FILE.stages[name].instructions if name in ("RUN", "USER")]
        assert order[-1] == "USER"
    for service in COMPOSE["services"].values():
        assert service.get("user", f"{uid}:{uid}") in (f"{uid}:{uid}", f"${{RUN_AS:-{uid}:{uid}}}")


def test_the_server_listens_where_everybody_looks_for_it():
    stage = FILE.stages["serve"]
    entry, command = (dockerfile.command(*stage.texts(name)) for name in ("ENTRYPOINT", "CMD"))
    assert entry[0] == "gluon-glore"
    args = parse_args([*entry[1:], *command])
    assert args.host == "0.0.0.0"
    port = str(args.port)
    assert stage.texts("EXPOSE") == [port]
    options, check = dockerfile.check(*stage.texts("HEALTHCHECK"))
    assert check[:2] == ["python", "-c"] and f"127.0.0.1', {port}" in check[2]
    assert set(options) == {"interval", "timeout", "start-period"}
    compile(check[2], "HEALTHCHECK", "exec")
    service = COMPOSE["services"]["serve"]
    (published,) = service["ports"]
    assert published.rpartition(":")[2] == port
    (volume,) = service["volumes"]
    assert volume.split(":")[-2:] == [*command, "ro"]
    grace = int(re.fullmatch(r"(\d+)s", service["stop_grace_period"])[1])
    assert grace > 2 * args.timeout  # what the server waits for, at most


def test_the_extras_are_those_of_the_package():
    (default,) = FILE.stages["serve-build"].texts("ARG")
    for extra in default.partition("=")[2].split(","):
        assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.M)
    assert COMPOSE["services"]["serve"]["build"]["args"] == {"EXTRAS": "${EXTRAS:-deploy}"}
    assert default == "EXTRAS=deploy"


def test_the_setup_of_an_image_leaves_out_what_is_there():
    """What `WITHOUT=dev` takes from requirements.txt is in it."""
    assert re.search(r"^-e \.\[.*,dev,.*\]$", (ROOT / "requirements.txt").read_text(), re.M)


def test_compose_builds_what_the_dockerfile_has():
    assert set(COMPOSE) == {"services"}
    assert set(COMPOSE["services"]) == {"serve", "train", "train-gpu"}
    for service in COMPOSE["services"].values():
        assert set(service) <= SERVICE
        build = service["build"]
        assert build["context"] == "." and build["target"] in FILE.images
        assert set(build["args"]) <= arguments_of(build["target"])
    kinds = {s["image"]: s["build"]["args"].get("MXNET") for s in COMPOSE["services"].values()}
    assert kinds == {
        "gluon-glore:serve": None,
        "gluon-glore:train": "cpu",
        "gluon-glore:train-gpu": "gpu",
    }
    for name in ("train", "train-gpu"):
        service = COMPOSE["services"][name]
        folders = [volume.split(":") for volume in service["volumes"]]
        (home,) = FILE.stages["base"].texts("WORKDIR")
        assert folders == [["./data", f"{home}/data"], ["./runs", f"{home}/runs"]]
        words = service["command"].split()
        assert (ROOT / words[words.index("--config") + 1]).is_file()


def test_the_page_speaks_of_what_there_is():
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S))
    lines = [shlex.split(line, comments=True) for line in blocks.replace("\\\n", "").splitlines()]
    known = {service["image"] for service in COMPOSE["services"].values()}
    seen = set()
    for words in filter(None, lines):
        while re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        kind = " ".join(words[:2])
        seen.add(kind)
        if kind == "docker build":
            target = words[words.index("--target") + 1] if "--target" in words else "serve"
            assert target in FILE.images
            given = [b.partition("=")[0] for a, b in zip(words, words[1:]) if a == "--build-arg"]
            assert set(given) <= arguments_of(target) | set(FILE.arguments)
        elif kind == "docker compose":
            named = [word for word in words[2:] if word in COMPOSE["services"]]
            assert named, words
        elif kind == "docker run":
            images = [word for word in words if word.startswith("gluon-glore:")]
            assert len(images) == 1 and images[0] in known, words
    assert {"docker build", "docker run", "docker compose"} <= seen
