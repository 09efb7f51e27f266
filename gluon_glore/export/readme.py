"""The README of an exported folder: how to load it from Python and C++, without this project."""

from string import Template

from ..weights.manifest import labels_pixels
from .files import Files


def readme(files: Files) -> str:
    """The text for a folder, with the names, shapes and numbers of its files filled in."""
    deployment = files.manifest.deployment
    sizes = files.sample_shape
    output = [len(files.manifest.class_names)]
    if labels_pixels(files.manifest):
        output += [n for n, axis in zip(sizes, deployment.layout) if axis in "HW"]
    fields = {
        "model": files.manifest.model,
        "name": files.stem,
        "dtype": deployment.dtype,
        "layout": deployment.layout,
        "input": deployment.described,
        "dimensions": ", ".join(map(str, sizes)),
        "count": len(sizes),
        "elements": " * ".join(map(str, sizes)),
        "output": ", ".join(["batch", *map(str, output)]),
        "kind": deployment.output,
        "outputs": " * ".join(map(str, [sizes[0], *output])),
        "answer": _answer(files.manifest),
        "precision": deployment.precision,
        "preparation": _preparation(files.manifest),
        "quantized": QUANTIZED if deployment.precision == "int8" else "",
    }
    for part, text, path in (("onnx", ONNX, files.onnx), ("pytorch", PYTORCH, files.program)):
        fields[part] = Template(text).substitute(fields) if path.exists() else ""
    return Template(TEXT).substitute(fields)


def _answer(manifest):
    """What the outputs are of, and how they become probabilities."""
    pixels, given = labels_pixels(manifest), manifest.deployment.probabilities
    over, of = (
        ("softmax over the second axis", "a pixel's classes") if pixels else ("softmax", "them")
    )
    parts = [
        "the input's height and width; " if pixels else "",
        "" if given else f"{over} makes probabilities of {of}, ",
        "`class_names` in the\n  manifest names them",
        VIDEO if manifest.clip else "",
    ]
    return "".join(parts)


def _preparation(manifest):
    """What the input is made of, in words."""
    preprocess = manifest.preprocess
    size = "x".join(map(str, preprocess.size[-2:]))
    resized = f"the short side resized to {preprocess.resize} pixels, " if preprocess.resize else ""
    color = {3: "RGB", 1: "grey"}.get(preprocess.channels, f"{preprocess.channels}-channel")
    if labels_pixels(manifest):
        cropped = f"{color} pictures as they are"
    else:
        cropped = f"{color} pictures, {resized}the centre {size} cropped"
    if manifest.clip:
        cropped = f"clips of {_frames(manifest.clip)}, as {cropped}"
    if manifest.deployment.takes_pictures:
        return f"{cropped}; the graph itself does the rest"
    return f"{cropped}, {preprocess.formula}"


def _frames(clip):
    """Which frames of a video a clip has, in words."""
    every = (
        "one after the other" if clip.stride == 1 else f"each {clip.stride} after the one before"
    )
    rate = f" at {clip.rate:g} frames a second" if clip.rate else ""
    return f"{clip.frames} frames of a video{rate}, {every} (a shorter video is looped)"


VIDEO = """; a video's are the mean of those of its clips,
  taken evenly along it"""

QUANTIZED = """
The symbol is quantised: its weights and many activations are 8-bit integers, and it runs on
MXNet's CPU build.
"""

ONNX = """
## ONNX Runtime

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("$name.onnx", providers=["CPUExecutionProvider"])
golden = np.load("golden.npz")
$kind = session.run(None, {"data": golden["input"]})[0]
```
"""

PYTORCH = """
## PyTorch

The program needs PyTorch alone. It predicts in float32, on any batch:

```python
import numpy as np
import torch

golden = np.load("golden.npz")
net = torch.export.load("$name.pt2").module()
with torch.inference_mode():
    $kind = net(torch.from_numpy(golden["input"])).numpy()
```

`$name.safetensors` has the network's own parameters by the names of `gluon_glore.pytorch`, to train
on:

```python
from safetensors.torch import load_file

weights = load_file("$name.safetensors")
```
"""

TEXT = """# $model

An exported network, $precision. `manifest.yaml` says all that follows to programs, and the checksum
of each file; `python -m gluon_glore check .` verifies them and runs `golden.npz`, an input and the
$kind it must give, through every runtime that is installed.

- input `data`: $input, $layout
- made of $preparation
- output: $kind, ($output); $answer
$quantized
MXNet keeps prepared kernels for each size of input that it has seen, without limit. Where sizes
vary, set `MXNET_MKLDNN_CACHE_NUM=256` and `DNNL_PRIMITIVE_CACHE_CAPACITY=256` in the environment of
the programs below; they are read at the first forward. A network is for one thread at a time.

## Python

```python
import mxnet as mx
import numpy as np

golden = np.load("golden.npz")
x = mx.nd.array(golden["input"], dtype="$dtype")
net = mx.gluon.SymbolBlock.imports("$name-symbol.json", ["data"], "$name-0000.params")
$kind = net(x).asnumpy()
```

or with Module:

```python
symbol, arguments, auxiliary = mx.model.load_checkpoint("$name", 0)
module = mx.mod.Module(symbol, label_names=None)
module.bind([mx.io.DataDesc("data", x.shape, "$dtype")], for_training=False)
module.set_params(arguments, auxiliary)
module.forward(mx.io.DataBatch([x]))
$kind = module.get_outputs()[0].asnumpy()
```
$onnx$pytorch
## C++

With MXNet's predict API, which takes float32 whatever the graph does with it. With MXNET the
folder of the Python package: `g++ -IMXNET/include net.cc MXNET/libmxnet.so -Wl,-rpath,MXNET`.

```cpp
#include <cstdint>  // before MXNet's header, which misses it
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <mxnet/c_predict_api.h>

std::string read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int main() {
  const std::string symbol = read("$name-symbol.json"), params = read("$name-0000.params");
  const char* keys[] = {"data"};
  const unsigned ends[] = {0, $count}, shape[] = {$dimensions};
  PredictorHandle net;
  std::vector<float> x($elements), $kind($outputs);  // fill x: $layout
  if (MXPredCreate(symbol.c_str(), params.data(), params.size(), 1, 0, 1, keys, ends, shape,
                   &net) ||
      MXPredSetInput(net, "data", x.data(), x.size()) || MXPredForward(net) ||
      MXPredGetOutput(net, 0, $kind.data(), $kind.size())) {
    std::cerr << MXGetLastError() << std::endl;
    return 1;
  }
  for (float number : $kind) std::cout << number << "\\n";
  MXPredFree(net);
  std::cout.flush();
  std::_Exit(0);  // MXNet's threads crash one program in fifty that ends otherwise
}
```
"""
