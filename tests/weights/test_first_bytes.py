import io
import zipfile

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.weights.params_file import read_params


def zipped(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return content.getvalue()


def states():
    """What Trainer.save_states writes."""
    updater = mx.optimizer.get_updater(mx.optimizer.create("sgd", momentum=0.9))
    updater(0, mx.nd.ones((2, 3)), mx.nd.ones((2, 3)))
    return updater.get_states(dump_optimizer=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ", it looks like an empty file"),
        (zipped("archive/data.pkl"), ", it looks like a PyTorch file, .* .pth"),
        (zipped("a.npy"), ", it looks like a numpy archive"),
        (zipped("a.txt"), ", it looks like a zip archive, unpack it"),
        (states(), r", it looks like a trainer's states \(Trainer.save_states\)"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", ", it looks like a pickle, as PyTorch's old"),
        (b"\x89HDF\r\n\x1a\n", ", it looks like an HDF5 file"),
        (np.array([0xCED7230A], "<u4").tobytes(), ", it looks like a .rec file"),
        (b"\x1f\x8b\x08", ", it looks like a gzip archive"),
        (bytes(257) + b"ustar", ", it looks like a tar archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", ", it looks like a pointer of Git LFS"),
        (b"<!DOCTYPE html>", ", it looks like a web page"),
        (b'{"nodes": []}', ", it looks like JSON, as a symbol"),
        (b'\x40\0\0\0\0\0\0\0{"a": {}}', ", it looks like a safetensors file"),
        (b"hello", "$"),
    ],
)
def test_what_is_no_parameter_file_is_named_for_what_it_looks_like(tmp_path, data, said):
    (tmp_path / "w.params").write_bytes(data)
    with pytest.raises(InputError, match=f"w.params: not an MXNet parameter file{said}"):
        read_params(tmp_path / "w.params")
