"""What is built of a checkout, without a network: a wheel of the library alone, and an sdist."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from gluon_glore import __version__
from gluon_glore.model_zoo.catalogue import shipped
from tests.helpers.places import ROOT

# A checkout, less what is made in it.
MADE = ("build", "data", "dist", "runs", "*.egg-info", ".venv*", ".git", ".*_cache", ".coverage*")
BUILD = """
from setuptools import build_meta
build_meta.build_sdist("dist")
build_meta.build_wheel("dist")
"""
# What an sdist must have beside the library.
PARTS = (".ci", "benchmarks", "configs", "docs", "symbols", "tests", "tools", "train")
FILES = ("CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt", "requirements.txt")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
EXTRAS = {"cpu", "gpu", "train", "deploy", "onnx", "video", "pytorch", "dev"}


def run(*command, cwd, **environment):
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the checkout, both in its `dist`, and what building them printed."""
    source = tmp_path_factory.mktemp("package") / "source"

    def skip(folder, names):
        made = shutil.ignore_patterns(*MADE)(folder, names) if folder == str(ROOT) else set()
        return {*made, *(name for name in names if name == "__pycache__")}

    shutil.copytree(ROOT, source, ignore=skip)
    return source, run(sys.executable, "-c", BUILD, cwd=source)


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built[0] / f"dist/gluon_glore-{__version__}-py3-none-any.whl") as file:
        yield file


@pytest.fixture(scope="module")
def metadata(wheel):
    text = wheel.read(f"gluon_glore-{__version__}.dist-info/METADATA").decode()
    return email.message_from_string(text)


@pytest.fixture(scope="module")
def requirements(metadata):
    """A function: {name: what is allowed of it} on a Python, with some extras (all but MXNet's)."""
    found = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert len(found) > 20

    def on(python="3.11", extras=EXTRAS - {"cpu", "gpu"}):
        allowed = defaultdict(SpecifierSet)
        for row in found:
            places = [{"python_version": python, "extra": extra} for extra in ("", *extras)]
            if row.marker is None or any(map(row.marker.evaluate, places)):
                allowed[row.name] &= row.specifier
        return allowed

    return on


def test_the_build_warns_of_nothing_that_will_end(built):
    _, printed = built
    assert not re.findall(r".*(?:[Dd]eprecat|is absent from|Warning:).*", printed)


def test_the_wheel_is_the_library_and_nothing_else(wheel):
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gluon_glore").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    described = {name for name in wheel.namelist() if ".dist-info/" in name}
    assert set(wheel.namelist()) - described == ours
    assert {"gluon_glore/py.typed", "gluon_glore/visualize/page.html"} < ours
    assert f"gluon_glore-{__version__}.dist-info/licenses/LICENSE" in described


def test_the_wheel_is_small(built):
    (path,) = (built[0] / "dist").glob("*.whl")
    assert path.stat().st_size < 10e6


def test_the_metadata_says_what_it_is(metadata):
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Author"] in (ROOT / "LICENSE").read_text()
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    assert metadata.get_all("Project-URL") and metadata.get_all("Classifier")


def test_numpy_is_any_that_mxnet_can_take(requirements):
    versions = ("1.20.3", "1.21.6", "1.22.4", "1.23.5", "1.24.0", "2.0.0")
    for extra in ("cpu", "gpu"):
        allowed = requirements(extras={extra})["numpy"]
        assert list(allowed.filter(versions)) == ["1.23.5"]  # 1.23.2 is the first for Python 3.11


@pytest.mark.parametrize("python", PYTHONS)
def test_without_mxnet_numpy_and_opencv_are_any_newer_ones(requirements, python):
    allowed = requirements(python, {"pytorch"})
    assert "2.5.5" in allowed["numpy"] and "5.0.0.93" in allowed["opencv-python-headless"]
    assert {"torch", "safetensors", "Pillow", "requests"} < allowed.keys()
    assert not allowed.keys() & {"mxnet", "mxnet-cu112"}


def test_the_classifiers_are_the_pythons_that_are_allowed(metadata):
    allowed = SpecifierSet(metadata["Requires-Python"])
    assert [f"3.{n}" for n in range(8, 16) if f"3.{n}.1" in allowed] == list(PYTHONS)
    told = [line.rpartition(" ")[2] for line in metadata.get_all("Classifier")]
    assert [version for version in told if re.fullmatch(r"3\.\d+", version)] == list(PYTHONS)


@pytest.fixture(scope="module")
def pinned():
    """{package: version} of constraints.txt, in small letters."""
    rows = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(row.lower().split("==") for row in rows if not row.startswith("#"))


@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_falls_below_the_versions_that_advisories_ask_for(requirements, pinned, python):
    allowed = requirements(python)
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    least = re.findall(r"^\| ([\w-]+) \| (\d[\d.]*) \| .*(?:CVE|GHSA)-", text, re.M)
    assert {"aiohttp", "Pillow", "urllib3"} < dict(least).keys()
    # What an older Python has no newer one of: {package: (its last for 3.10, for 3.9)}.
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+|–) \| ([\d.]+)", text, re.M)
    assert len(rows) == 7
    last = {name: dict(zip(("3.10", "3.9"), versions)).get(python, "–") for name, *versions in rows}
    for name, version in least:
        first = Version(version)
        assert first <= Version(pinned.get(name.lower(), version)), name
        told = last.get(name, "–")
        for row in allowed.get(name, ()):
            if row.operator == ">=" and told == "–":
                assert first <= Version(row.version), name
            elif row.operator == ">=":
                assert Version(row.version) == Version(told) < first, name
        assert name.lower() in pinned or name in allowed, name


def test_opencv_calls_nothing_of_libpng_that_its_open_advisories_are_in():
    cv2 = pytest.importorskip("cv2")
    (library,) = Path(cv2.__file__).parent.glob("cv2.abi3.so")
    called = set(re.findall(rb"png_[a-z]\w+", library.read_bytes()))
    assert b"png_read_image" in called
    assert not called & {b"png_set_quantize", b"png_set_PLTE", b"png_set_tRNS"}
    assert not [name for name in called if name.startswith(b"png_image_")]


def test_the_pinned_versions_are_allowed_ones(requirements, pinned):
    allowed = requirements(extras=EXTRAS - {"gpu"})
    assert allowed["mxnet"] and allowed["numpy"]
    for name, specifier in allowed.items():
        if name not in ("torch", "gluon-glore"):  # not in the environment
            assert pinned[name.lower()] in specifier, name


def test_what_the_pages_and_messages_say_to_install_is_there():
    files = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *(ROOT / "gluon_glore").rglob("*.py"),
        *(ROOT / "train").rglob("*.py"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert "gluon-glore[" not in text, "it is on no index"
    named = re.findall(r"pip install '\.\[([\w,]+)\]'", text)
    named += re.findall(r"""(?:require\("[\w.]+", |how_to_install\()['"](\w+)['"]""", text)
    extras = {extra for found in named for extra in found.split(",")}
    assert {"cpu", "deploy", "onnx", "pytorch", "video"} <= extras <= EXTRAS


def test_the_wheel_works_beside_folders_of_the_same_names_as_ours(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    theirs = tmp_path / "theirs"
    (theirs / "symbols").mkdir(parents=True)
    for name in ("train.py", "symbols/__init__.py"):
        (theirs / name).write_text("raise SystemExit('somebody else')\n")
    for entry in (row.name for row in shipped()):
        told = run(
            *(sys.executable, "-m", "gluon_glore", "verify", entry),
            cwd=theirs,
            PYTHONPATH=str(tmp_path / "site"),
            GLORE_HOME=str(tmp_path / "weights"),
        )
        assert "as recorded" in told and "golden numbers: logits differ by" in told


def test_the_sdist_is_the_checkout_and_tests_run_from_it(built, tmp_path):
    source, _ = built
    with tarfile.open(source / f"dist/gluon_glore-{__version__}.tar.gz") as file:
        file.extractall(tmp_path)
    (unpacked,) = tmp_path.iterdir()
    for part in PARTS:
        held, ours = (
            sorted(path.relative_to(top) for path in (top / part).rglob("*"))
            for top in (unpacked, source)
        )
        assert held == ours, part
    assert all((unpacked / name).is_file() for name in FILES)
    tests = (
        "tests/plan/test_fields.py",
        "tests/utils/test_yaml_file.py",
        "tests/data/test_clips.py",
    )
    command = (sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests)
    run(*command, cwd=unpacked, PYTHONPATH=str(unpacked))
