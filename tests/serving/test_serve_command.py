"""`serve` with several models, as a process and refused."""

import shutil

import cv2
import pytest

from gluon_glore.__main__ import main
from gluon_glore.inference.classify import load_classifier
from tests.helpers.places import GOLDEN
from tests.helpers.serve_process import Server

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")
pytest.importorskip("onnxruntime", reason="the folders run on ONNX Runtime")

SMALL = str(GOLDEN / "small_export")


def test_two_models_in_one_process_answer_as_predict_does(tmp_path):
    noise = cv2.randu(cv2.UMat(40, 40, cv2.CV_8UC3).get(), 0, 255)
    file = tmp_path / "a=b.png"
    cv2.imwrite(str(file), noise)
    expected = load_classifier(SMALL).predict(file, 3)
    with Server(models=(SMALL, f"again={SMALL}"), names="small, again") as server:
        for name in ("small", "again"):
            status, fields = server.post(file.read_bytes(), f"/models/{name}/predict?top=3")
            assert (status, fields["model"]) == (200, name)
            given = [(row["class"], row["probability"]) for row in fields["top"]]
            assert given == [(c, pytest.approx(p, abs=1e-5)) for c, p in expected]
        assert server.post(file.read_bytes())[0] == 404
        server.process.terminate()
        assert server.process.wait(20) == 0


def refused(capsys, *arguments):
    assert main(["serve", "--port", "0", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    return err[len("error: ") :].strip()


def test_models_that_can_not_be_told_apart_are_refused(tmp_path, capsys):
    assert refused(capsys, SMALL, SMALL) == f"two models are called small: give NAME={SMALL}"
    given = refused(capsys, f"a={SMALL}", f"a={SMALL}")
    assert given == "two models are called a: give each a name of its own"
    message = (
        "weights, pixels, class names and the like are of one model, given 2: export them first"
    )
    for option in (["--weights", "x"], ["--pixels", "paper"], ["--class-names", "x"]):
        assert refused(capsys, SMALL, f"a={SMALL}", *option) == message


def test_a_path_with_an_equals_sign_is_a_path(tmp_path, capsys):
    from gluon_glore.cli.serve import _name_and_model

    folder = tmp_path / "a=b"
    shutil.copytree(SMALL, folder)
    assert _name_and_model(str(folder)) == (None, str(folder))
    assert _name_and_model(f"n={folder}") == ("n", str(folder))
    assert _name_and_model("no name=b") == (None, "no name=b")
    assert _name_and_model("model") == (None, "model")
