import os
import select
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_glore import __version__, get_model, get_spec, list_models, save_weights
from gluon_glore.__main__ import main
from gluon_glore.cli.tables import networks_table
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.command_line import run
from tests.helpers.exports import exported
from tests.helpers.places import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    exported(directory)
    return directory


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "grey.png"
    cv2.imwrite(str(path), np.random.RandomState(0).randint(0, 256, (64, 64)).astype("uint8"))
    return path


@pytest.fixture(autouse=True)
def no_weights_of_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    monkeypatch.delenv("GLORE_MIRROR", raising=False)


def test_list_says_whose_weights_there_are_for_each_name(capsys):
    assert main(["list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["network", "weights", "checked"]
    assert [line.split()[0] for line in lines] == list_models()
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert lines["resnet18"] == "none"
    assert lines["resnet50_glore_2_3"].startswith("the authors, to download")
    assert lines["tiny_glore_0_1"].startswith("this project, with the package")
    assert "golden numbers; top-1 91.95 % on 2000 pictures" in lines["tiny_glore_0_1"]
    assert main(["list", "resnet50_glore*"]) == 0
    assert "tiny" not in capsys.readouterr().out
    assert main(["list", "vgg*"]) == 2
    assert "no network matches 'vgg*'" in capsys.readouterr().err


def test_who_reads_only_the_beginning_sees_no_error():
    for reader, code in (("head -1", 0), ("true", 0)):
        command = f"{sys.executable} -m gluon_glore list | {reader}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (code, "")


def test_after_ctrl_c_the_exit_code_says_so(model, tmp_path):
    out, into = os.pipe()
    os.write(into, bytes(2**16))  # now it is full
    picture = f"/dev/fd/{out}"
    command = [sys.executable, "-m", "gluon_glore", "predict", picture, "--model", str(model)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[out],
        # A shell's background jobs, as CI's may be, start with Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert select.select([], [into], [], 60)[1]  # it has begun to read, and waits for the rest
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 130)
    os.close(out)
    os.close(into)


def test_import_makes_an_entry_and_prints_its_card(tmp_path, capsys):
    model = tmp_path / "model"
    exported(model, plain=True)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for file in ("tiny_glore_0_1-symbol.json", "tiny_glore_0_1-0000.params"):
            tar.add(model / file, file)
    words = ["--source", "https://a.org/a.tar", "--origin", "they", "--claimed", "99 %"]
    pixels = ["--pixels", "0-1", "--resize", "0"]
    arguments = ["import", str(tmp_path / "a.tar"), "--out", str(tmp_path / "entry")]
    arguments += [*words, *pixels]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for row in ("origin | they", "source | https://a.org/a.tar", "accuracy claimed | 99 %"):
        assert f"| {row} |" in out
    assert "released symbol on MXNet's plain operators" in out
    assert out.endswith(f"written: {tmp_path / 'entry'}\n")
    assert main(["verify", str(tmp_path / "entry")]) == 0
    assert "golden numbers: logits differ by 0.0e+00" in capsys.readouterr().out
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'entry'}: not an empty folder\n"


def test_the_shipped_entry_predicts_at_once(image, capsys):
    assert main(["predict", str(image), "--model", "tiny_glore_0_1"]) == 0
    assert set(capsys.readouterr().out.split()[1::2]) == {"different", "same"}


def test_list_markdown_prints_the_table_of_the_networks_that_match(capsys):
    assert main(["list", "--markdown", "tiny*"]) == 0
    assert capsys.readouterr().out == networks_table(list_models("tiny*")) + "\n"
    assert main(["list", "--markdown", "vgg*"]) == 2
    assert "no network matches 'vgg*'" in capsys.readouterr().err


def test_info_prints_figures_by_stage_placement_and_source(capsys):
    assert main(["info", "resnet50_glore_2_3"]) == 0
    short = capsys.readouterr().out
    assert "paper, Table 2" in short
    lines = [line.split() for line in short.splitlines()]
    for line in (
        "input 224x224",
        "channels 3",
        "classes 1000",
        "units glore: Res3 1,3; Res4 1,3,5",
        "stem 0.01 M 0.12 G",
        "Res4 12.03 M 2.69 G 4.94 M 1.23 G 20.6 %",
        "network 31.31 M 5.96 G 5.76 M 1.87 G 31.4 %",
    ):
        assert line.split() in lines
    assert "conv4_B05" not in short
    assert main(["info", "resnet50_glore_2_3", "--units"]) == 0
    long = capsys.readouterr().out
    assert long.startswith(short)
    units = [line.split()[0] for line in long[len(short) :].splitlines() if line]
    assert units == ["stem", *(u.name for u in get_spec("resnet50_glore_2_3").plan()), "head"]


def test_info_counts_the_classes_it_is_given(capsys):
    assert main(["info", "tiny", "--classes", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "classes 2".split() in lines
    assert "head 0.39 k 0.00 M".split() in lines  # BatchNorm 2 x 96, weights 2 x 96, biases 2


def test_predict_prints_the_classes_of_each_picture(model, image, capsys):
    assert main(["predict", str(image), str(image), "--model", str(model), "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].split()[0] == "grey.png"
    assert lines[0].split()[1] in ("no", "yes")


def test_networks_by_name_are_exported_and_predict_with_a_weights_file(tmp_path, capsys):
    net = get_model("resnet18", classes=3)
    net.initialize()
    net(mx.nd.zeros((1, 3, 64, 64))).wait_to_read()
    save_weights(net, tmp_path / "w.params")
    (tmp_path / "names.txt").write_text("cat\ndog\nfish\n")
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((300, 260, 3), np.uint8))
    weights = ["--weights", str(tmp_path / "w.params")]
    weights += ["--class-names", str(tmp_path / "names.txt"), "--pixels", "paper"]
    assert main(["export", "resnet18", "--out", str(tmp_path / "out"), *weights]) == 0
    outputs = []
    for model in (["resnet18", *weights], [str(tmp_path / "out")]):
        capsys.readouterr()
        assert main(["predict", str(tmp_path / "a.jpg"), "--model", *model]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "fish" in outputs[0]


def test_what_an_export_is_told_is_in_its_folder(digit_pairs, tmp_path, capsys):
    export = ["export", "tiny_glore_0_1", "--onnx", "--out"]

    def deployment(name, *options):
        assert main([*export, str(tmp_path / name), *options]) == 0
        return read_manifest(tmp_path / name).deployment

    own = deployment("own")
    assert (own.shape, own.precision, own.takes_pictures) == ((None, 1, 64, 64), "fp32", False)
    larger = deployment("larger", "--with-preprocess", "--input-size", "80", "96")
    assert larger.takes_pictures and larger.shape == (None, 80, 96, 1)
    assert deployment("any", "--any-size").shape == (None, 1, None, None)
    lowered = ["--precision", "int8", "--calibrate", str(digit_pairs / "train.rec")]
    method = ["--calibration-method", "minmax"]
    assert deployment("lower", *lowered, *method, "--tolerance", "0.5").precision == "int8"
    assert main([*export, str(tmp_path / "no"), *lowered, "--tolerance", "1e-9"]) == 2
    assert "with an error of at most 1e-09" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_errors_are_one_line_and_exit_2(tmp_path, model, image, capsys):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), np.zeros((32, 32), np.uint8))
    for arguments, message in (
        (["info", "resnet50_glor_2_3"], "closest: resnet50_glore_2_3"),
        (["list", "vgg*"], "no network matches 'vgg*'"),
        (["predict", image, "--model", tmp_path], "no checkpoint in it"),
        (["predict", image, "--model", "resnet18"], "no weights for resnet18"),
        (["predict", image, "--model", "tiny"], "no weights for tiny"),
        (["verify", tmp_path / "gone"], "a network's name has letters"),
        (["verify", tmp_path], "manifest.yaml: No such file"),
        (["import", broken, "--out", tmp_path / "o"], "neither an archive"),
        (["publish", tmp_path, "--out", tmp_path / "o"], "no checkpoint in it"),
        (["predict", broken, "--model", model], "broken.png: not a readable picture"),
        (["predict", small, "--model", model], "small.png: picture of 32x32 pixels"),
        (["predict", tmp_path / "none.png", "--model", model], "none.png: No such file"),
        (
            ["export", "resnet50", "--out", tmp_path / "o", "--weights", broken],
            "neither an archive",
        ),
        (["export", model, "--out", tmp_path / "o", "--weights", broken], "holds its own weights"),
        (["export", tmp_path / "gone", "--out", tmp_path / "o"], "gone: no such directory"),
    ):
        assert main(list(map(str, arguments))) == 2, arguments
        err = capsys.readouterr().err
        assert message in err
        assert err.startswith("error: ") and len(err.splitlines()) == 1, err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (["-m", "gluon_glore"], "python -m gluon_glore"),
        ([str(Path(sys.executable).with_name("gluon-glore"))], "gluon-glore"),
    ],
    ids=["module", "script"],
)
def test_usage_names_the_command_that_was_typed(start, name):
    if not start[0].startswith("-") and not Path(start[0]).is_file():
        pytest.skip("the package is not installed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments, usage in (
        (["--help"], f"usage: {name} "),
        (["list", "--help"], f"usage: {name} list "),
        (["predict"], f"usage: {name} predict "),
    ):
        done = subprocess.run(
            [sys.executable, *start, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert (done.stdout + done.stderr).startswith(usage)


def test_the_version_is_the_packages():
    assert run("--version") == (0, f"gluon-glore {__version__}\n", "")


def test_help_needs_neither_mxnet_nor_opencv():
    code = (
        "import sys\nfrom gluon_glore.__main__ import main\n"
        "try: main(['list', '--help'])\n"
        "finally: print({'mxnet', 'cv2', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "set()\n")


def without(modules, *arguments):
    """The command line where these modules are not installed: (exit code, stderr)."""
    code = (
        f"import sys\nfor name in {modules}: sys.modules[name] = None\n"
        "from gluon_glore.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_predict_and_show_need_nothing_but_the_base_installation(image, tmp_path):
    extras = ["matplotlib", "av", "aiohttp", "onnx", "onnxruntime", "openvino", "sklearn", "torch"]
    for command in (["predict"], ["show", "--out", tmp_path / "out"]):
        assert without(extras, *command, image, "--model", "tiny_glore_0_1") == (0, "")


@pytest.mark.parametrize("package", ["aiohttp", "prometheus_client"])
def test_serve_without_its_packages_names_the_extra_in_one_line(package):
    code, err = without([package], "serve", "tiny_glore_0_1")
    hint = "pip install '.[deploy]' from a checkout of gluon-glore"
    assert (code, err) == (2, f"error: {package} is not installed: {hint}\n")


def test_help_and_errors_come_from_a_process_without_a_traceback(tmp_path, model, image):
    code, out, err = run("info", "resnet50_glor_2_3")
    assert (code, out) == (2, "") and "closest: resnet50_glore_2_3" in err
    assert err.startswith("error: ") and len(err.splitlines()) == 1, err
    assert run("--help")[0] == 0
    assert run("paint")[0] == 2
    code, _, err = run("predict", image, "--model", model, "--top", 0)
    assert code == 2 and "a whole number above 0, at most 2147483647, given '0'" in err
