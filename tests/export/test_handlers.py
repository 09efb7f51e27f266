"""Other people's handlers, from their own packages, run a folder of the layout "mms".

Their code: Multi Model Server's vision service and its archiver, SageMaker's default handler for
MXNet. DJL's engine is in Java; its rules are restated here.
"""

import json
import os
import re
import subprocess
import sys
import warnings
import zipfile

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess, read_image
from gluon_glore.export.check import check
from gluon_glore.export.files import read_files
from gluon_glore.inference.classify import load_classifier
from gluon_glore.weights.params_file import read_params

mx = pytest.importorskip("mxnet", reason="exporting takes mxnet")

from gluon_glore import describe, export_model  # noqa: E402
from tests.helpers.any_networks import (  # noqa: E402
    CLASSES,
    CLIP,
    PICTURE,
    classifier,
    recognizer,
    segmenter,
    with_values,
)

PIXELS = Preprocess((16, 16), 20, (120.0, 110.0, 100.0), (0.02, 0.01, 0.03))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported folder of the layout, of a network that tells three classes apart."""
    mx.random.seed(0)
    net = classifier()
    manifest = describe(net, PIXELS, CLASSES, name="pets", size=PICTURE)
    return export_model(net, tmp_path_factory.mktemp("mms") / "out", manifest, layout="mms")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A JPEG of the size of the network's input, which nobody has to resize or crop."""
    path = tmp_path_factory.mktemp("pictures") / "a.jpg"
    cv2.imwrite(str(path), np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype("uint8"))
    return path


def predicted(folder, picture):
    """What this project says of a picture of the input's size: `[(class, probability), ...]`."""
    classifier = load_classifier(folder)
    whole = classifier.manifest.deployment.laid_out(read_image(picture, 3))
    return classifier.best(classifier.logits([whole])[0])


def agree(answers, expected):
    """Hold `[{"class", "probability"}, ...]` to what `predict` says, in the same order."""
    assert [answer["class"] for answer in answers] == [name for name, _ in expected]
    for answer, (_, share) in zip(answers, expected):
        assert answer["probability"] == pytest.approx(share, abs=1e-5)


def test_the_folder_is_an_exported_one_by_other_names(folder, picture):
    files = {"model-symbol.json", "model-0000.params", "golden.npz", "manifest.yaml", "README.md"}
    beside = {"signature.json", "synset.txt", "model-shapes.json"}
    assert {path.name for path in folder.iterdir()} == files | beside
    manifest = read_files(folder).manifest
    assert beside < set(manifest.sha256) and manifest.model == "pets"
    assert (manifest.deployment.stem, manifest.deployment.layout) == ("model", "NCHW")
    assert set(check(folder, apart=False)) == {"mxnet"}
    assert len(load_classifier(folder).predict(picture)) == 3
    readme = (folder / "README.md").read_text()
    assert readme.startswith("# pets\n") and '"model-symbol.json"' in readme


def test_the_readmes_lines_give_the_probabilities_by_these_names(folder):
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    assert len(blocks) == 2  # SymbolBlock, then Module
    judged = "print(abs(probabilities - golden['probabilities']).max() < 1e-5)"
    code = "\n".join(part for block in blocks for part in (block, judged))
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.stdout == "True\nTrue\n", done.stderr


def test_what_stands_beside_says_what_goes_in_and_comes_out(folder):
    signature = json.loads((folder / "signature.json").read_text())
    assert signature == {
        "inputs": [{"data_name": "data", "data_shape": [0, 3, 16, 16]}],
        "input_type": "image/jpeg",
        "outputs": [{"data_name": "probabilities", "data_shape": [0, 3]}],
        "output_type": "application/json",
    }
    shapes = json.loads((folder / "model-shapes.json").read_text())
    assert shapes == [{"name": "data", "shape": [1, 3, 16, 16]}]
    assert (folder / "synset.txt").read_text().split("\n") == ["a", "b", "c", ""]


def service_of(folder):
    """MMS's vision service on a folder, as its loader of models makes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the module, as it is imported
        vision = pytest.importorskip(
            "mms.model_service.mxnet_vision_service", reason="multi-model-server is not installed"
        )
    from mms.context import Context

    files = {"Symbol": "model-symbol.json", "Parameters": "model-0000.params"}
    manifest = {"Model": {"Signature": "signature.json", **files}}
    service = vision.MXNetVisionService("model", str(folder), manifest)
    service.initialize(Context("model", str(folder), manifest, 1, None, "1.1"))
    return service


def test_multi_model_servers_handler_answers_as_predict(folder, picture):
    (answers,) = service_of(folder).handle([{"body": picture.read_bytes()}], None)
    agree(answers, predicted(folder, picture))


def test_the_archiver_packs_what_the_handler_reads(folder, picture, tmp_path):
    pytest.importorskip("model_archiver", reason="model-archiver is not installed")
    given = ["--model-name", "model", "--model-path", folder, "--export-path", tmp_path]
    given += ["--handler", "mxnet_vision_service:handle"]
    command = [sys.executable, "-c", "import model_archiver.model_packaging as m; "]
    command[-1] += "m.generate_model_archive()"
    done = subprocess.run([*command, *map(str, given)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "model.mar") as archive:
        archive.extractall(tmp_path / "model")
    told = json.loads((tmp_path / "model/MAR-INF/MANIFEST.json").read_text())
    # Its template of a handler loads `modelName`-symbol.json and `modelName`-0000.params.
    name = told["model"]["modelName"]
    assert (tmp_path / "model" / f"{name}-symbol.json").is_file()
    (answers,) = service_of(tmp_path / "model").handle([{"body": picture.read_bytes()}], None)
    agree(answers, predicted(folder, picture))
    assert check(tmp_path / "model", apart=False)  # checksums hold in the archive, too


@pytest.mark.parametrize("kind", ["application/json", "text/csv", "application/x-npy"])
def test_sagemakers_default_handler_gives_the_probabilities(folder, picture, kind):
    handlers = pytest.importorskip(
        "sagemaker_mxnet_serving_container.default_inference_handler",
        reason="sagemaker-mxnet-inference is not installed",
    )
    from sagemaker_inference import encoder

    handler = handlers.DefaultModuleInferenceHandler()
    module = handler.default_model_fn(str(folder))
    x = np.moveaxis(read_image(picture, 3), -1, 0)[None]
    x = np.concatenate([x, 255 - x])  # more than the one that it binds
    body = encoder.encode(x.reshape(2, -1) if kind == "text/csv" else x, kind)
    outputs = handler.default_predict_fn(handler.default_input_fn(body, kind, module), module)
    shares = json.loads(handler.default_output_fn(outputs, "application/json"))
    expected = dict(predicted(folder, picture))
    assert np.allclose(shares[0], [expected[name] for name in CLASSES], atol=1e-5)
    assert np.allclose(shares, load_classifier(folder).raw(x), atol=1e-5)


def djl_finds(folder, prefix):
    """(symbol file, parameter file) by the rules of DJL's MXNet engine; None where it finds none.

    `MxModel.load` and `Utils.getCurrentEpoch` of deepjavalibrary/djl: the prefix that is given, of
    which the parameters of the highest epoch are taken; else the folder's own name.
    """
    for name in (prefix, folder.name):
        pattern = re.compile(rf"{re.escape(name)}-(\d{{4}})\.params")
        epochs = [int(m[1]) for path in folder.iterdir() if (m := pattern.fullmatch(path.name))]
        if epochs:
            symbol = folder / f"{name}-symbol.json"
            return symbol, folder / f"{name}-{max(epochs):04}.params"
    return None


def test_djls_engine_finds_symbol_parameters_and_one_input(folder):
    assert djl_finds(folder, "resnet") is None
    symbol, params = djl_finds(folder, "model")
    assert symbol.is_file()
    with open(params, "rb") as file:
        assert file.read(4) != b"DJL@"  # else it were DJL's own format
    # Each array is "kind:name" of an argument of the symbol, and what is left over is the input.
    read = set(mx.sym.load(os.fspath(symbol)).list_inputs())
    names = {key.split(":", 1)[1] for key in read_params(params)}
    assert names < read and read - names == {"data"}


def test_what_the_layout_implies_can_not_be_told_otherwise(tmp_path):
    net = classifier()
    manifest = describe(net, PIXELS, CLASSES, name="pets", size=PICTURE)
    with pytest.raises(InputError, match="layout mms takes preprocess NCHW, given 'NHWC': leave"):
        export_model(net, tmp_path / "out", manifest, layout="mms", preprocess="NHWC")
    given = {"preprocess": "NCHW", "softmax": True}
    folder = export_model(net, tmp_path / "out", manifest, layout="mms", **given)
    assert read_files(folder).manifest.deployment.output == "probabilities"


def test_what_the_handlers_can_not_run_is_refused(tmp_path):
    grey = with_values(classifier_of_grey(), (1, 16, 16))
    of_grey = Preprocess((16, 16), 0, (120.0,), 0.02)
    spaced = [" a", "b", "c"]
    for net, pixels, names, size, refused in (
        (segmenter(), PIXELS_WHOLE, CLASSES, PICTURE, "pets labels pixels, MMS's handler names"),
        (recognizer(), PIXELS, CLASSES, CLIP, "pets takes videos, MMS's handler names the class"),
        (grey, of_grey, CLASSES, (1, 16, 16), "pets takes pictures of 1 channels, MMS's handler"),
        (classifier(), PIXELS, spaced, PICTURE, "takes spaces around class names away"),
    ):
        stride = {"stride": 1} if size is CLIP else {}
        manifest = describe(net, pixels, names, name="pets", size=size, **stride)
        with pytest.raises(InputError, match=refused):
            export_model(net, tmp_path / "out", manifest, layout="mms")
    assert not (tmp_path / "out").exists()


PIXELS_WHOLE = Preprocess((16, 16), 0, (120.0, 110.0, 100.0), (0.02, 0.01, 0.03))


def classifier_of_grey():
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Dense(3))
    return net
