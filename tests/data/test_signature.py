import pytest

from gluon_glore import InputError
from gluon_glore.data.pixels import Pixels
from gluon_glore.data.signature import Description, Signature, read_description

WHOLE = """
input: [3, 8, 112, 112]
output: fc1
stride: 4
rate: 25
mean: [123.675, 116.28, 103.53]
std: [58.395, 57.12, 57.375]
resize: 128
class_names: [run, jump]
"""


def read(folder, text):
    (folder / "net.yaml").write_text(text)
    return read_description(folder / "net.yaml")


def test_a_file_says_what_the_options_say(tmp_path):
    pixels = Pixels(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), resize=128)
    signature = Signature((3, 8, 112, 112), "fc1", 4, 25)
    assert read(tmp_path, WHOLE) == Description(signature, pixels, ("run", "jump"))
    short = "input: [1, 28, 28]\nmean: 0\nscale: 0.01\nresize: 0\nclass_names: names.txt\n"
    assert read(tmp_path, short) == Description(
        Signature((1, 28, 28)),
        Pixels(mean=(0,), scale=(0.01,), resize=0),
        tmp_path / "names.txt",  # beside it
    )
    assert read(tmp_path, "input: [3, 32, 32]\npixels: torchvision").class_names is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("pixels: torchvision", "input: missing"),
        ("input: [3, 32, 32]", "--mean and --std or --scale missing"),
        ("input: [32, 32]\npixels: paper", "input: a list of 3 to 4 values"),
        ("input: [3, 0, 32]\npixels: paper", r"input\[1\]: a whole number from 1"),
        ("input: [3, 8, 32, 32]\npixels: paper", "--stride is missing"),
        ("input: [3, 32, 32]\npixels: paper\nstride: 2", "--stride and --rate are of videos"),
        ("input: [3, 32, 32]\npixels: mine", "pixels: .* given 'mine'"),
        ("input: [3, 32, 32]\npixels: paper\nmean: 0", "--pixels paper says mean and scale"),
        ("input: [3, 32, 32]\nmean: 0.5\nstd: 1", "seems to be of pixels 0 to 1"),
        ("input: [3, 32, 32]\npixels: paper\nsize: 3", "size: unknown, known: input, output"),
        ("[]", "the fields input"),
        ("input: &a [3, 32, 32]\npixels: *a", "an alias"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, text, message):
    with pytest.raises(InputError, match=f"net.yaml: .*{message}"):
        read(tmp_path, text)
