import mxnet as mx


def read_params(path):
    return {k: v.asnumpy() for k, v in mx.nd.load(str(path)).items()}
