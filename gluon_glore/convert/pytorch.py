"""Networks in files of PyTorch's, `.pth` and safetensors, registered ones and the authors'."""

from ..weights.network_file import read_state_dict
from .pytorch_network import recognize
from .recognized import Recognized


def read_pytorch(path, name=None, spec=None) -> Recognized:
    """The network in a PyTorch file: of a `spec` or registered `name` if given, else found out.

    Raises InputError as `read_state_dict` and `recognize` do.
    """
    return recognize(read_state_dict(path), path, name, spec)
