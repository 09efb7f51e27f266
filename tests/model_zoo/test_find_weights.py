import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import portalocker
import pytest
import yaml

from gluon_glore import get_model, get_spec, save_weights
from gluon_glore.model_zoo import find_weights as finding
from gluon_glore.model_zoo import reach as reaching
from gluon_glore.model_zoo.cache import SOURCES, WORK, default_root, installed
from gluon_glore.model_zoo.catalogue import FILE
from gluon_glore.model_zoo.download import download
from gluon_glore.weights.golden import GOLDEN
from gluon_glore.weights.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from tests.helpers.exports import TINY, exported
from tests.helpers.horovod import horovodrun, needs_horovod
from tests.helpers.networks import assert_same
from tests.helpers.places import ROOT
from tests.helpers.web_server import Answer
from tests.helpers.zoo import ENTRY, TAR, change_file, names, params_file, refused, write_published


def change_yaml(path, change):
    fields = yaml.safe_load(path.read_text())
    change(fields)
    path.write_text(yaml.safe_dump(fields))


def change_catalogue(server, name, **fields):
    def change(catalogue):
        for release in catalogue["releases"]:
            release["files"].get(name, {}).update(fields)

    change_yaml(server.folder / FILE, change)


@pytest.mark.parametrize("name", ["tiny", ENTRY])
def test_weights_come_once_and_then_no_network_is_needed(made, server, root, name):
    net = made.tiny if name == "tiny" else made.published
    file = TAR if name == "tiny" else f"{made.entry}/{params_file(ENTRY)}"
    assert_same(get_model(name, pretrained=True), net)
    ((folder, manifest),) = installed()
    assert names(root) == [".lock", SOURCES, folder.name]
    assert folder.name == f"{name}-{manifest.sha256[params_file(name)][:8]}"
    read_manifest(folder)  # every file is whole
    (source,) = yaml.safe_load((root / SOURCES).read_text())
    assert source == server.url(TAR if name == "tiny" else made.entry)
    assert len(server.requests[file]) == 1
    server.__exit__()
    assert_same(get_model(name, pretrained=True), net)
    assert_same(get_model(name, pretrained=folder.name[-8:]), net)


def test_a_release_is_imported_with_the_catalogues_words_and_input(made, server, root):
    get_model("tiny", pretrained=True)
    ((folder, manifest),) = installed("tiny")
    assert (manifest.card.origin, manifest.card.licence) == ("testers", "MIT")
    assert manifest.card.source == server.url(TAR)
    digest = hashlib.sha256((made.folder / TAR).read_bytes()).hexdigest()
    assert manifest.card.source_sha256 == digest
    assert (manifest.preprocess, len(manifest.class_names)) == (TINY, 2)
    recorded = yaml.safe_load((root / SOURCES).read_text())[server.url(TAR)]
    assert recorded["sha256"] == digest


PROCESS = """
import sys
from gluon_glore import get_model
print("ready", flush=True)
get_model(sys.argv[1], pretrained=True)
print("done", flush=True)
"""


def start(name="tiny"):
    """A process that gets a network's weights, about to begin."""
    command = [sys.executable, "-c", PROCESS, name]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_of_two_processes_one_downloads_and_both_succeed(server, root):
    root.mkdir()
    with portalocker.Lock(root / ".lock", "a"):  # both must wait
        processes = [start(), start()]
        time.sleep(0.5)
        assert not server.requests[TAR]
        assert all(process.poll() is None for process in processes)
    for process in processes:
        assert process.communicate(timeout=60)[0] == "done\n"
    assert len(server.requests[TAR]) == 1


@pytest.mark.parametrize("name", ["tiny", ENTRY])
def test_after_kill_9_the_next_process_goes_on(made, server, root, name):
    file = TAR if name == "tiny" else f"{made.entry}/{params_file(ENTRY)}"
    server.answer(file, Answer(stall=1_000_000))
    process = start(name)
    try:
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size >= 700_000 for part in root.glob(".*.part")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert (root / WORK).is_dir()
    assert_same(get_model(name, pretrained=True), made.tiny if name == "tiny" else made.published)
    first, second = server.ranges(file)
    assert first is None and int(second[len("bytes=") : -1]) >= 700_000
    assert [n for n in names(root) if n.startswith(".")] == [".lock"]


@pytest.mark.parametrize("name", ["tiny", ENTRY])
def test_what_changed_since_its_first_use_is_refused(made, server, root, name):
    get_model(name, pretrained=True)
    ((folder, _),) = installed()
    shutil.rmtree(folder)
    if name == "tiny":
        with open(server.folder / TAR, "ab") as file:
            file.write(bytes(512))
    else:
        shutil.rmtree(server.folder / made.entry)
        other = exported(root / "other", ENTRY, TINY)
        shutil.rmtree(root / "other")
        (server.folder / write_published(server.folder, other)).rename(server.folder / made.entry)
        change_catalogue(server, ENTRY, path=made.entry)
    message = refused(name)
    assert "has changed, its sha256 is" in message and str(root / SOURCES) in message
    assert names(root) == [".lock", SOURCES]
    shutil.rmtree(server.folder)
    shutil.copytree(made.folder, server.folder)
    get_model(name, pretrained=True)
    assert names(root) == [".lock", SOURCES, folder.name]


def test_the_first_8_digits_name_weights_that_are_here_or_in_a_catalogue(made, server, root):
    digits = made.entry[-8:]
    assert_same(get_model(ENTRY, pretrained=digits), made.published)
    count = len(server.requests[FILE])
    for some in (digits, read_manifest(root / made.entry).sha256[params_file(ENTRY)]):
        assert_same(get_model(ENTRY, pretrained=some), made.published)
    assert len(server.requests[FILE]) == count == 1
    assert refused(ENTRY, "0" * 8) == f"no weights 00000000 for {ENTRY}, known: {digits}"
    assert refused("resnet18", "0" * 8) == "no weights 00000000 for resnet18, known: none"
    assert refused("tiny", digits).endswith(f"weights of {ENTRY}, not of tiny")
    shipped = get_model("tiny_glore_0_1", pretrained="3a9af620")
    assert_same(shipped, get_model("tiny_glore_0_1", pretrained=True))
    assert "known: 3a9af620" in refused("tiny_glore_0_1", "12345678")


@pytest.mark.parametrize(
    ("scheme", "what"),
    [
        ("http", "archive?"),  # files have no queries
        *((s, w) for s in ("http", "file") for w in ("archive", "entry", "entry/", "parameters")),
    ],
)
def test_addresses_of_archives_entries_and_parameters_are_followed(
    made, server, root, scheme, what, monkeypatch
):
    monkeypatch.delenv("GLORE_MIRROR")
    name, net = ("tiny", made.tiny) if "archive" in what else (ENTRY, made.published)
    path = {
        "archive": TAR,
        "archive?": TAR,
        "entry": made.entry,
        "entry/": f"{made.entry}/",
        "parameters": f"{made.entry}/{params_file(ENTRY)}",
    }[what]
    url = server.url(path) if scheme == "http" else f"file://{server.folder}/{path}"
    url += "?token=1" if what == "archive?" else ""
    pixels = TINY if "archive" in what else None
    assert_same(get_model(name, pretrained=url, preprocess=pixels), net)
    ((folder, manifest),) = installed()
    assert folder.name.startswith(f"{name}-")
    assert names(root) == [".lock", SOURCES, folder.name]
    shutil.rmtree(server.folder)
    assert_same(get_model(name, pretrained=url), net)
    assert "no weights" in refused(name)  # no catalogue led to them
    assert folder.name[-8:] in refused(name)


def test_a_file_mirror_is_a_mirror(made, root, monkeypatch):
    monkeypatch.setenv("GLORE_MIRROR", f"file://{made.folder}/")
    assert_same(get_model(ENTRY, pretrained=True), made.published)
    assert_same(get_model("tiny", pretrained=True), made.tiny)


def checkpoint(made, place):
    save_weights(made.tiny, place / "weights.params")
    write_manifest(place, Manifest("tiny", ("no", "yes"), TINY), ["weights.params"])
    return place


def bare(made, place):
    save_weights(made.tiny, place / "w.params")
    return place / "w.params"


@pytest.mark.parametrize(
    "path",
    [
        lambda made, _: made.folder / TAR,
        lambda made, _: made.folder / made.entry,
        lambda made, _: str(made.folder / made.entry / params_file(ENTRY)),
        lambda made, _: made.export,
        lambda made, _: made.export / params_file("tiny"),
        checkpoint,
        bare,
    ],
)
def test_paths_of_all_that_holds_weights_are_followed(made, root, tmp_path, path, monkeypatch):
    monkeypatch.setenv("GLORE_MIRROR", "http://127.0.0.1:9")  # not to be asked
    path = path(made, tmp_path)
    name, net = (ENTRY, made.published) if made.entry in str(path) else ("tiny", made.tiny)
    pixels = TINY if str(path).endswith(".tar") else None
    assert_same(get_model(name, pretrained=path, preprocess=pixels), net)
    assert root.exists() == str(path).endswith(".tar")  # it alone had to be imported


def test_an_archive_here_is_imported_once_also_by_two_processes(made, root):
    path = made.folder / TAR
    assert "tiny.tar: neither it nor the catalogue says its pixels" in refused("tiny", path)
    get_model("tiny", pretrained=path, preprocess=TINY)
    ((folder, _),) = installed("tiny")
    before = folder.stat()
    get_model("tiny", pretrained=str(path))
    assert folder.stat().st_ino == before.st_ino
    shutil.rmtree(folder)
    code = PROCESS.replace("=True", "=sys.argv[1]").replace("(sys.argv[1]", "('tiny'")
    with portalocker.Lock(root / ".lock", "a"):
        command = [sys.executable, "-c", code, str(path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        # As if the process that had the lock had imported the archive.
        shutil.copytree(made.folder / made.entry, root / made.entry)
        change_yaml(
            root / made.entry / MANIFEST,
            lambda fields: fields["card"].update(
                source_sha256=hashlib.sha256(path.read_bytes()).hexdigest()
            ),
        )
    process.communicate(timeout=60)
    assert [folder.name for folder, _ in installed()] == [made.entry]


def publish_wrong(change):
    """`harm(made, server)` that changes the manifest of the mirror's entry by `change`."""

    def harm(made, server):
        change_yaml(server.folder / made.entry / MANIFEST, change)

    return harm


def list_file(name, digest="0" * 64):
    return publish_wrong(lambda fields: fields["sha256"].update({name: digest}))


def manifest_of(text):
    def harm(made, server):
        (server.folder / made.entry / MANIFEST).write_text(text)

    return harm


def bomb(made, server):
    """A network's name of nested YAML aliases, nine of nine and so on, to 9 to the 12th words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    file = server.folder / made.entry / MANIFEST
    file.write_text("\n".join([*lines, file.read_text().replace(f"model: {ENTRY}", "model: *a11")]))


def swap_manifest(made, server):
    """The second request for the manifest gives one with a name that leads out of the root."""
    list_file(MANIFEST, hashlib.sha256(b"x").hexdigest())(made, server)
    server.answer(f"{made.entry}/{MANIFEST}", Answer(), Answer(body=b"x"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (list_file("../x"), "manifest.yaml: damaged manifest"),
        (list_file("/etc/x"), "manifest.yaml: damaged manifest"),
        (list_file(".."), "manifest.yaml: damaged manifest"),
        (list_file(""), "manifest.yaml: damaged manifest"),
        (list_file(7), "manifest.yaml: damaged manifest"),
        (list_file("x", None), "manifest.yaml: damaged manifest"),
        (list_file("x", 7), "manifest.yaml: damaged manifest"),
        (list_file("b.params"), "manifest.yaml: damaged manifest"),
        (swap_manifest, "manifest.yaml: damaged manifest"),
        (bomb, "manifest.yaml: damaged manifest"),
        (manifest_of("[" * 5000), "manifest.yaml: damaged manifest"),
        (manifest_of("\x00"), "manifest.yaml: damaged manifest"),
        (publish_wrong(lambda f: f.pop("card")), "manifest.yaml: damaged manifest"),
        (publish_wrong(lambda f: f.update(model="../../x")), "manifest.yaml: damaged manifest"),
        (
            publish_wrong(lambda f: f.update(model="resnet18")),
            "weights of resnet18, not of tiny_nl",
        ),
        (publish_wrong(lambda f: f["sha256"].clear()), "manifest.yaml: damaged manifest"),
        (manifest_of("x" * 2**20 + "x"), "at most 1048576 allowed"),
        (list_file("gone"), "gone: status 404 Not Found"),
        (
            lambda made, server: change_file(server.folder / made.entry / params_file(ENTRY)),
            "its SHA-256 is",
        ),
        (
            lambda _, server: change_catalogue(server, ENTRY, sha256="0" * 64),
            "has changed, its sha256 is",
        ),
    ],
)
def test_a_hostile_or_damaged_entry_is_one_line_and_leaves_nothing(
    made, server, root, harm, message
):
    digits = read_manifest(made.imported).sha256[params_file("tiny")][:8]
    shutil.copytree(made.imported, root / f"tiny-{digits}")
    before = [".lock", *names(root)]
    outside = set(root.parent.iterdir())
    harm(made, server)
    assert message in refused(ENTRY)
    assert names(root) == before
    assert set(root.parent.iterdir()) == outside
    assert_same(get_model("tiny", pretrained=digits), made.tiny)


def test_the_files_of_an_entry_together_are_held_to_the_limit(made, server, root, monkeypatch):
    params = (made.folder / made.entry / params_file(ENTRY)).stat().st_size
    golden = (made.folder / made.entry / GOLDEN).stat().st_size
    monkeypatch.setattr(finding, "LIMIT", params + golden - 1)
    assert "allowed" in refused(ENTRY)
    assert names(root) == [".lock"]
    monkeypatch.setattr(finding, "LIMIT", params + golden)
    get_model(ENTRY, pretrained=True)


def write_tar(server, text):
    (server.folder / TAR).write_text(text)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda s: (s.folder / TAR).unlink(), "tiny.tar: status 404 Not Found"),
        (lambda s: write_tar(s, "<!DOCTYPE html><p>Please log in"), "tiny.tar: a web page"),
        (lambda s: write_tar(s, "no archive"), "neither an archive"),
        (lambda s: change_catalogue(s, "tiny", sha256="0" * 64), "the catalogue has 00000000"),
        (lambda s: s.answer(TAR, then=Answer(status=500)), "status 500 Internal Server Error"),
    ],
)
def test_what_is_no_release_is_one_line_and_leaves_nothing(made, server, root, harm, message):
    get_model(ENTRY, pretrained=True)
    before = names(root)
    harm(server)
    assert message in refused("tiny")
    assert names(root) == before
    assert_same(get_model(ENTRY, pretrained=True), made.published)


def test_an_archive_of_another_network_is_refused(server, root):
    change_yaml(
        server.folder / FILE,
        lambda fields: fields["releases"][1]["files"].update(resnet18={"path": TAR}),
    )
    assert "another network than resnet18" in refused("resnet18")
    assert "another network than resnet18" in refused("resnet18", server.folder / TAR)
    assert names(root) == [".lock"]


def test_a_cut_and_a_slow_download_are_one_line_and_go_on_later(made, server, root, monkeypatch):
    server.answer(TAR, *[Answer(cut=1000)] * 5)
    assert "connection cut after 5000 of" in refused("tiny")
    monkeypatch.setattr(finding, "download", functools.partial(download, timeout=0.3, attempts=1))
    server.answer(TAR, Answer(stall=1000), Answer(drip=0.1))
    started = time.monotonic()
    assert "connection cut after 6000 of" in refused("tiny")
    assert "slower than 1024 bytes a second" in refused("tiny")
    assert time.monotonic() - started < 10
    assert names(root) == [".lock", ".tiny.tar.part", ".tiny.tar.part.json"]
    assert_same(get_model("tiny", pretrained=True), made.tiny)
    assert server.ranges(TAR)[-2] == "bytes=6000-"
    assert [n for n in names(root) if n.startswith(".")] == [".lock"]


WAYS_OUT = (
    "; give a local file (--weights FILE, in Python pretrained=FILE), or the address of a mirror "
    "in $GLORE_MIRROR"
)


def test_what_cannot_be_reached_is_one_line_with_the_ways_out(server, root, monkeypatch):
    monkeypatch.setattr(reaching, "REACH", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("GLORE_MIRROR", closed)
        message = refused("tiny")
        assert message.startswith(f"{closed}/{FILE}: Connection refused, in ")
        assert message.endswith(WAYS_OUT)
        silent.listen()
        started = time.monotonic()
        address = f"{closed}/tiny.tar"
        for pretrained in (True, address, "0123456789"):
            message = refused("tiny", pretrained, preprocess=TINY)
            assert message.startswith(closed) and message.endswith(WAYS_OUT)
        assert time.monotonic() - started < 5
        message = refused("tiny", address)  # not asked for hundreds of megabytes first
        assert message.startswith(f"{address}: the catalogue does not have it, so say its pixels")
    monkeypatch.setenv("GLORE_MIRROR", server.url())
    assert "GLORE_MIRROR" not in refused("tiny_3d")  # it was reached


def test_what_would_be_downloaded_is_known_beforehand(made, server, root):
    digits = params_file(ENTRY)
    shipped, digest = "tiny_glore_0_1", made.entry[-8:]
    address = server.url(made.entry)
    for name, pretrained, needed in (
        (ENTRY, True, True),
        (ENTRY, address, True),
        (ENTRY, digest, True),
        (ENTRY, made.folder / made.entry / digits, False),
        (shipped, True, False),
        (shipped, "3a9af620", False),
    ):
        assert finding.to_download(name, pretrained) == needed, (name, pretrained)
    assert not server.requests
    get_model(ENTRY, pretrained=True)
    for pretrained in (True, address, digest):
        assert not finding.to_download(ENTRY, pretrained)
    assert finding.to_download("tiny")
    save_weights(made.tiny, root / "tiny-0000.params")
    assert not finding.to_download("tiny")


def test_releases_lie_on_a_mirror_under_the_paths_of_the_authors_server(server, root):
    for missing in (Answer(status=404), Answer(status=403), Answer(body=b"<html>not here")):
        server.answer(FILE, missing)
        path = "imagenet/resnet50_w-glore_0-3.tar"
        assert refused("resnet50_glore_0_3") == f"{server.url(path)}: status 404 Not Found"
    assert len(server.requests[path]) == 3


def test_a_mirror_that_is_down_is_named_and_what_is_here_does_not_ask_it(
    made, server, root, monkeypatch
):
    get_model(ENTRY, pretrained=True)
    down = server.url().rstrip("/")
    server.__exit__()
    asked = sum(map(len, server.requests.values()))
    assert refused("tiny").startswith(f"{down}/{FILE}: Connection refused")
    get_model("tiny_glore_0_1", pretrained=True)
    get_model("tiny_glore_0_1", pretrained="3a9af620")
    assert_same(get_model(ENTRY, pretrained=True), made.published)
    assert sum(map(len, server.requests.values())) == asked
    monkeypatch.delenv("GLORE_MIRROR")
    assert refused(ENTRY).endswith(f"; by path or hash only: {made.entry[-8:]}")
    monkeypatch.setenv("GLORE_MIRROR", "ftp://x")
    assert refused("tiny") == (
        "GLORE_MIRROR must begin with https://, http:// or file://: 'ftp://x'"
    )


def test_an_entry_damaged_since_is_named_with_the_remedy_and_the_remedy_works(made, server, root):
    get_model(ENTRY, pretrained=True)
    place = root / made.entry
    params = place / params_file(ENTRY)
    for harm, what in ((change_file, "damaged, its checksum"), (os.unlink, "missing")):
        harm(params)
        for pretrained in (True, made.entry[-8:], server.url(made.entry)):
            message = refused(ENTRY, pretrained)
            assert message.startswith(f"{params}: {what}")
            assert message.endswith(f"; delete {place}, the next call brings it anew")
        shutil.rmtree(place)
        assert_same(get_model(ENTRY, pretrained=True), made.published)
    (place / MANIFEST).write_text("a: [1")  # no entry any more: its place is taken
    assert_same(get_model(ENTRY, pretrained=True), made.published)
    assert names(root) == [".lock", SOURCES, made.entry]
    read_manifest(place)


def test_damaged_records_of_first_use_are_refused_not_ignored(server, root):
    root.mkdir()
    for text in ("a: [1", "- a", "a: {}", "a: {sha256: 7}", "a: {sha256: abc}", "\x00"):
        (root / SOURCES).write_text(text)
        assert refused("tiny").startswith(f"{root / SOURCES}: damaged")
    assert not server.requests[TAR]


def test_names_without_weights_say_so_and_names_of_no_network_are_refused_at_once(server, root):
    line = f"no weights for resnet18: the catalogue has none, and there is no {root}"
    assert refused("resnet18") == f"{line}/resnet18-0000.params"
    assert refused("resnet5").startswith("unknown network 'resnet5', closest: resnet50")
    assert refused("fcn_resnet5").startswith("unknown network 'fcn_resnet5', closest: ")
    assert not any("fcn" in name for name in server.requests)
    assert refused("../x") == (
        "a network's name has letters, digits, '_', '-' and '.', given '../x'"
    )
    for wrong in (None, 1, 0.5, ("a",)):
        assert refused("tiny", wrong).startswith("pretrained must be True, False, an address")
    assert refused("tiny", "no/such.params") == "no/such.params: no such parameter file"


def test_parameters_put_in_the_root_go_first(made, server, root):
    root.mkdir()
    save_weights(made.published, root / params_file(ENTRY))
    assert_same(get_model(ENTRY, pretrained=True), made.published)
    assert not server.requests


def test_without_glore_home_weights_lie_where_gluons_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for home in (None, ""):
        monkeypatch.setenv("GLORE_HOME", home or "")
        if home is None:
            monkeypatch.delenv("GLORE_HOME")
        assert default_root() == tmp_path / ".mxnet" / "models"


def test_a_root_that_can_not_be_written_is_one_line_and_what_is_in_it_still_loads(
    made, server, mount, monkeypatch, root
):
    place = mount("size=20m")
    monkeypatch.setenv("GLORE_HOME", str(place))
    get_model(ENTRY, pretrained=True)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    assert "Read-only file system" in refused("tiny")
    assert_same(get_model(ENTRY, pretrained=True), made.published)
    monkeypatch.setenv("GLORE_HOME", str(made.export / params_file("tiny")))
    assert refused("tiny").endswith((": File exists", ": Not a directory"))


@pytest.mark.parametrize("size", ["1000k", "2500k"])
def test_a_full_disk_is_one_line_and_leaves_nothing(server, mount, monkeypatch, size):
    place = mount(f"size={size}")  # the archive has 1.6 MB, what it becomes as many more
    monkeypatch.setenv("GLORE_HOME", str(place))
    message = refused("tiny")
    assert "No space left on device" in message or "could not be written" in message
    assert names(place) == [".lock"]


def test_a_network_of_ones_own_name_comes_with_its_own_description(made, server, root):
    write_published(server.folder, made.published, "mine")
    net = get_model("mine", pretrained=True)
    assert_same(net, made.published)
    assert net.spec.extras == get_spec(ENTRY).extras


def test_an_entry_called_as_a_registered_network_of_other_layers_is_refused(made, server, root):
    path = write_published(server.folder, made.published, "resnet18")
    assert refused("resnet18").endswith("weights of another network that is called resnet18 too")
    assert (root / path / GOLDEN).is_file()


RANKS = """
import train
from gluon_glore import get_model
from train.engine.comm import make_comm
comm = make_comm()
net = get_model("tiny", pretrained=True)
print("has", comm.rank, comm.sum([net.classes]).tolist())
comm.shutdown()
"""


@needs_horovod
def test_of_two_ranks_one_downloads(server, root):
    done = horovodrun("-c", RANKS)
    assert done.returncode == 0, done.stderr
    assert "has 0 [4.0]" in done.stdout and "has 1 [4.0]" in done.stdout
    assert len(server.requests[TAR]) == 1
