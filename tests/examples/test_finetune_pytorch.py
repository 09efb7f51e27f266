"""The example that fine-tunes in PyTorch, on scanned digits: dimmer than it knows them."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("sklearn", reason="needs scikit-learn, which has the digits")
from gluon_glore.data.image import encode_png  # noqa: E402
from gluon_glore.pytorch import get_model  # noqa: E402
from gluon_glore.utils.errors import InputError  # noqa: E402
from gluon_glore.weights.golden import noise  # noqa: E402
from gluon_glore.weights.manifest import read_manifest  # noqa: E402
from tests.helpers.places import ROOT  # noqa: E402
from train.digit_pairs import CLASS_NAMES, draw_pictures, load_digits  # noqa: E402

SCRIPT = ROOT / "examples/finetune_pytorch.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("finetune_pytorch", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Pairs of digits in class folders: to train, and of other digits to test."""
    place = tmp_path_factory.mktemp("digits")
    parts = zip(("train", "val"), load_digits(seed=3), (640, 200))
    for name, digits, count in parts:
        for i, (picture, label) in enumerate(draw_pictures(digits, count, seed=5)):
            file = place / name / CLASS_NAMES[2][label] / f"{i:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode_png(picture // 4))
    return place


def test_a_network_is_fine_tuned_published_and_loaded_by_both(example, folders, tmp_path, capsys):
    paths = [str(folders / name) for name in ("train", "val")]
    options = ["--out", str(tmp_path / "zoo"), "--name", "dim", "--workers", "0"]
    args = example.parse([*paths, *options, "--epochs", "2", "--lr", "0.02"])
    known = get_model(args.model, pretrained=True)
    unseen = example.Pictures(example.open_pictures(paths[1]), known.preprocess)
    before = example.accuracy(known, torch.utils.data.DataLoader(unseen, 50), "cpu")
    entry = example.finetune(args)
    lines = capsys.readouterr().out.splitlines()
    after = float(lines[1].split()[-1])
    assert before < 0.75 < 0.85 < after
    manifest = read_manifest(entry)
    assert manifest.class_names == CLASS_NAMES[2]
    assert manifest.card.measured["top1"] == pytest.approx(after, abs=0.006)
    x = noise((4, 1, 64, 64))
    net = get_model("dim", pretrained=entry).eval()
    assert net.preprocess == replace(known.preprocess)
    logits = net(torch.tensor(x)).detach().numpy()
    mx = pytest.importorskip("mxnet", reason="needs MXNet to compare with")
    import gluon_glore

    theirs = gluon_glore.get_model("dim", pretrained=entry)(mx.nd.array(x)).asnumpy()
    assert np.abs(theirs - logits).max() < 1e-5 * np.abs(logits).max()


def test_the_example_is_short():
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 120


def test_what_it_cannot_use_is_one_line(example, tmp_path):
    args = example.parse([str(tmp_path), str(tmp_path), "--out", str(tmp_path), "--name", "x"])
    with pytest.raises(InputError) as caught:
        example.finetune(args)
    assert len(str(caught.value).splitlines()) == 1
