import json
import shutil

import pytest
import yaml

from gluon_glore import InputError, get_model
from gluon_glore.__main__ import main
from gluon_glore.model_zoo.catalogue import FILE, find_row, read_catalogue
from gluon_glore.model_zoo.entry import check_golden, measure
from gluon_glore.model_zoo.load import load_network
from gluon_glore.model_zoo.publish import publish
from gluon_glore.utils.files import sha256
from gluon_glore.weights import load_arrays
from gluon_glore.weights.card import Card
from gluon_glore.weights.manifest import MANIFEST, read_manifest
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.command_line import run as command
from tests.helpers.networks import assert_same
from tests.helpers.web_server import WebServer
from tests.helpers.zoo import change_file, names


def tree(folder):
    """All files with what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def zoo(trained_run, tmp_path_factory):
    """A zoo with one entry, not to be changed."""
    zoo = tmp_path_factory.mktemp("zoo")
    publish(
        trained_run, zoo, "mine", card=Card("a trained_run of ours", origin="us", licence="MIT")
    )
    return zoo


def test_the_accuracy_on_several_files_is_that_of_all_and_names_each(zoo, digit_pairs, tmp_path):
    (folder,) = (path for path in zoo.iterdir() if path.is_dir())
    for i in range(2):
        for suffix in (".rec", ".idx"):
            shutil.copy(digit_pairs / f"val{suffix}", tmp_path / f"val_{i}{suffix}")
    measured = measure(folder, f"{tmp_path}/val_*.rec")
    digest = sha256(digit_pairs / "val.rec")[:8]
    assert measured["data"] == f"{tmp_path.name}/val_*.rec (sha256 {digest}, {digest})"
    assert measured["samples"] == 140
    assert measured["top1"] == pytest.approx(read_manifest(folder).card.measured["top1"])


def test_an_entry_has_config_log_card_golden_numbers_and_the_runs_accuracy(trained_run, zoo):
    (folder,) = (path for path in zoo.iterdir() if path.is_dir())
    manifest = read_manifest(folder)
    params = "mine-0000.params"
    assert folder.name == f"mine-{manifest.sha256[params][:8]}"
    extras = {"config.yaml", "metrics.jsonl"}
    assert set(manifest.sha256) == {*extras, params, "golden.npz"}
    for name in extras:
        assert (folder / name).read_bytes() == (trained_run / name).read_bytes()
    top1 = json.loads((trained_run / "summary.json").read_text())["top1"]
    measured = manifest.card.measured
    assert manifest.score == measured["top1"] == pytest.approx(top1, abs=1e-9)
    assert (measured["samples"], measured["bad_records"]) == (70, 0)
    assert "val.rec (sha256 " in measured["data"]
    assert (manifest.card.origin, manifest.card.licence) == ("us", "MIT")
    card = (folder / "README.md").read_text()
    assert (
        "# mine" in card and f"top-1 {top1 * 100:.2f} %" in card and "a trained_run of ours" in card
    )
    assert check_golden(folder) < 1e-5
    net, _ = load_network(trained_run)
    assert_same(get_model("mine", pretrained=folder), net)
    (row,) = read_catalogue(zoo / FILE)
    assert (row.name, row.source) == ("mine", f"/{folder.name}")
    assert row.sha256 == manifest.sha256[params] and f"top-1 {top1 * 100:.2f} %" in row.checked


def test_a_zoo_on_a_web_server_is_a_mirror(zoo, trained_run, root, monkeypatch):
    net, _ = load_network(trained_run)
    with WebServer(zoo) as server:
        monkeypatch.setenv("GLORE_MIRROR", server.url())
        assert_same(get_model("mine", pretrained=True), net)
        digits = next(path.name[-8:] for path in zoo.glob("mine-*"))
        assert_same(get_model("mine", pretrained=digits), net)
    assert_same(get_model("mine", pretrained=True), net)
    assert names(root) == [".lock", f"mine-{digits}", "sources.yaml"]
    assert tree(root / f"mine-{digits}") == tree(zoo / f"mine-{digits}")


def test_half_precision_is_measured_as_it_is_saved(trained_run, zoo, tmp_path, root):
    shutil.copytree(zoo, tmp_path / "zoo")
    older = next((tmp_path / "zoo").glob("mine-*"))
    folder = publish(
        checkpoints(trained_run)[-1], tmp_path / "zoo", "half", _validation(trained_run), half=True
    )
    params = "half-0000.params"
    sizes = (folder / params).stat().st_size, (older / "mine-0000.params").stat().st_size
    assert sizes[0] < 0.6 * sizes[1]
    assert {str(array.dtype) for array in load_arrays(folder / params).values()} == {
        "<class 'numpy.float16'>"
    }
    assert read_manifest(folder).card.measured["samples"] == 70
    assert (folder / "config.yaml").is_file()  # a checkpoint knows its run
    found = read_catalogue(tmp_path / "zoo" / FILE)
    assert [row.name for row in found] == ["half", "mine"]
    net = get_model("half", pretrained=folder)
    assert net.output.weight.data().asnumpy().dtype == "float32"
    assert check_golden(folder) < 1e-5


def _validation(trained_run):
    return json.loads((trained_run / "summary.json").read_text())["config"]["data"]["val"]


def test_other_weights_of_a_name_take_the_place_in_the_catalogue(trained_run, zoo, tmp_path):
    shutil.copytree(zoo, tmp_path / "zoo")
    folder = publish(trained_run, tmp_path / "zoo", "mine", half=True)
    row = find_row(read_catalogue(tmp_path / "zoo" / FILE), "mine")
    assert row.source == f"/{folder.name}"
    assert len(list((tmp_path / "zoo").glob("mine-*"))) == 2


def damage_catalogue(zoo):
    (zoo / FILE).write_text("a: [1")


@pytest.mark.parametrize(
    ("name", "harm", "options", "message"),
    [
        ("mine", None, {}, "published already; delete it to publish it anew"),
        ("other", damage_catalogue, {}, "catalogue.yaml: damaged catalogue"),
        ("other", None, {"data": "none.rec"}, "none.rec: no such file"),
        ("other", None, {"data": __file__}, "model_zoo/test_publish.py"),
        ("../other", None, {}, "a network's name has letters"),
        ("/other", None, {}, "a network's name has letters"),
        ("resnet18", None, {}, "resnet18 is another network than tiny_glore_0_1"),
    ],
)
def test_a_step_that_fails_is_one_line_and_leaves_the_zoo_as_it_was(
    trained_run,
    zoo,
    tmp_path,
    name,
    harm,
    options,
    message,
):
    place = tmp_path / "a" / "zoo"
    shutil.copytree(zoo, place)
    if harm:
        harm(place)
    before = tree(tmp_path)
    with pytest.raises(InputError) as caught:
        publish(trained_run, place, name, **options)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert tree(tmp_path) == before
    if options:
        with pytest.raises(InputError):
            publish(trained_run, tmp_path / "new", name, **options)
        assert tree(tmp_path) == before


def test_a_zoo_that_can_not_be_written_is_one_line(trained_run, mount, tmp_path):
    with pytest.raises(InputError, match="Read-only file system"):
        publish(trained_run, mount("ro") / "zoo", "mine")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"file.*: (File exists|Not a directory)"):
        publish(trained_run, tmp_path / "file", "mine")


def test_a_catalogue_that_can_not_be_written_takes_the_entry_back(
    trained_run,
    mount,
    zoo,
):
    place = mount("size=2700k")
    catalogue = yaml.safe_load((zoo / FILE).read_text())
    catalogue["releases"][0]["claimed"] = "x" * 600_000
    (place / FILE).write_text(yaml.safe_dump(catalogue))  # no room for another one
    before = tree(place)
    with pytest.raises(InputError, match="No space left on device"):
        publish(trained_run, place, "other")
    assert tree(place) == before
    shutil.copy(zoo / FILE, place)
    publish(trained_run, place, "other")  # there is for the entry


def test_the_command_prints_the_card_and_says_where_it_is(trained_run, tmp_path, capsys):
    zoo = tmp_path / "zoo"
    arguments = [
        "publish",
        str(trained_run),
        "--out",
        str(zoo),
        "--origin",
        "me",
        "--licence",
        "CC0",
    ]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    (folder,) = zoo.glob("tiny_glore_0_1-*")
    assert "| origin | me |" in out and "| licence | CC0 |" in out
    assert out.endswith(f"written: {folder}\n")
    assert main([*arguments, "--half", "--name", "smaller"]) == 0
    (half,) = zoo.glob("smaller-*")
    arrays = load_arrays(half / "smaller-0000.params").values()
    assert {str(array.dtype) for array in arrays} == {"<class 'numpy.float16'>"}
    code, out, err = command(*arguments)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1
    assert err == f"error: {folder}: published already; delete it to publish it anew\n"
    code, _, err = command("publish", tmp_path / "none", "--out", zoo)
    assert code == 2 and err == f"error: {tmp_path / 'none'}: no such directory\n"


def test_a_damaged_checkpoint_is_not_published(trained_run, tmp_path):
    shutil.copytree(trained_run, tmp_path / "run")
    (newest,) = checkpoints(tmp_path / "run")
    change_file(newest / "weights.params")
    with pytest.raises(InputError, match="no checkpoint in it"):
        publish(tmp_path / "run", tmp_path / "zoo")
    (newest / MANIFEST).unlink()
    with pytest.raises(InputError, match="no checkpoint in it"):
        publish(newest, tmp_path / "zoo")
    assert not (tmp_path / "zoo").exists()
