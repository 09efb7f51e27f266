"""ONNX files run as they are, on one thread."""

import os


def run_onnxruntime(path, x):
    """The output of an ONNX file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"data": x})[0]


def run_openvino(path, x):
    """The output of an ONNX file in OpenVINO, compiled for the shape of `x`."""
    import openvino

    core = openvino.Core()
    model = core.read_model(os.fspath(path))
    model.reshape(list(x.shape))
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(model, "CPU", options)(x)[0]
