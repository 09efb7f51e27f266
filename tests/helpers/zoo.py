"""A small model zoo: released and published weights, served on this machine."""

import shutil
import tarfile

import pytest
import yaml

import gluon_glore
from gluon_glore import InputError
from gluon_glore.model_zoo import download as downloading
from gluon_glore.model_zoo.catalogue import FILE, add_to_catalogue
from gluon_glore.weights.card import Card
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.exports import TINY, exported
from tests.helpers.web_server import WebServer

TAR = "files/tiny.tar"


ENTRY = "tiny_nl_0_1"  # published; `tiny` is released


class Made:
    """Networks, and the folder of a mirror with one as a released archive, one as an entry."""

    def __init__(self, place):
        from gluon_glore.model_zoo.import_weights import import_weights

        self.folder, self.export = place / "served", place / "tiny"
        self.tiny = exported(self.export, "tiny", TINY, plain=True)
        (self.folder / "files").mkdir(parents=True)
        with tarfile.open(self.folder / TAR, "w") as tar:
            for kind in ("symbol.json", "0000.params"):
                tar.add(self.export / f"tiny-{kind}", f"glore/tiny-{kind}")
        self.published = exported(place / "published", ENTRY, TINY)
        self.entry = write_published(self.folder, self.published)
        archive, imported = self.folder / TAR, place / "imported"
        self.imported = import_weights(archive, imported, preprocess=TINY, compare=False)
        fields = yaml.safe_load((self.folder / FILE).read_text())
        (published,) = fields["releases"]
        fields["releases"].append({**published, "files": {"tiny": {"path": TAR}}})
        (self.folder / FILE).write_text(yaml.safe_dump(fields))


def write_published(folder, net, name=None, classes=("no", "yes")):
    """Put an entry of a network in a folder and its catalogue; returns the entry's name."""
    from gluon_glore.model_zoo.entry import write_entry
    from gluon_glore.weights import named_arrays, plain_names

    card = Card("a test", origin="testers", licence="MIT")
    manifest = Manifest(name or net.spec.name, classes, TINY, spec=net.spec, card=card)
    arrays = {k: v.asnumpy() for k, v in plain_names(named_arrays(net)).items()}
    write_entry(folder / "new", manifest, arrays)
    whole = read_manifest(folder / "new")
    digest = whole.sha256[f"{manifest.model}-0000.params"]
    path = f"{manifest.model}-{digest[:8]}"
    (folder / "new").rename(folder / path)
    add_to_catalogue(folder, manifest.model, path, whole, digest)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """$GLORE_HOME, not there yet; downloads do not pause."""
    monkeypatch.setattr(downloading, "PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("GLORE_MIRROR", raising=False)
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    return tmp_path / "root"


@pytest.fixture
def server(made, root, tmp_path, monkeypatch):
    """The mirror, a copy for each test."""
    with WebServer(shutil.copytree(made.folder, tmp_path / "served")) as server:
        monkeypatch.setenv("GLORE_MIRROR", server.url())
        yield server


def names(root):
    return sorted(path.name for path in root.iterdir())


def refused(name, pretrained=True, **options):
    """The one line with which a network's weights are refused."""
    with pytest.raises(InputError) as caught:
        gluon_glore.get_model(name, pretrained=pretrained, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def change_file(path):
    """Flip a bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def params_file(name):
    return f"{name}-0000.params"
