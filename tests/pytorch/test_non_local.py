import pytest

from gluon_glore import InputError
from tests.helpers.units import SPACES

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from gluon_glore.pytorch import NonLocal  # noqa: E402


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_block_is_embedded_gaussian_attention(ndim):
    block = NonLocal(6, 3, ndim=ndim, zero_gamma=False).eval()
    for name, parameter in block.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    x = torch.randn(2, 6, *SPACES[ndim])
    flat = x.flatten(2)

    def embed(conv):
        return torch.einsum("oc,bcl->bol", conv.weight.flatten(1), flat) + conv.bias[:, None]

    scores = torch.einsum("bmi,bmj->bij", embed(block.nl_theta), embed(block.nl_phi))
    y = torch.einsum("bij,bmj->bmi", scores.softmax(2), embed(block.nl_g))
    y = torch.einsum("oc,bcl->bol", block.nl_out.weight.flatten(1), y).reshape(x.shape)
    norm = block.nl_out_bn
    shape = (-1,) + (1,) * ndim
    y = y / (1 + norm.eps) ** 0.5 * norm.weight.view(shape) + norm.bias.view(shape)
    torch.testing.assert_close(block(x), x + y, rtol=1e-4, atol=1e-4)


def test_it_starts_as_the_identity_unless_told():
    x = torch.randn(2, 8, 5, 5)
    for zero in (True, False):
        assert torch.equal(NonLocal(8, 4, zero_gamma=zero)(x), x) is zero


def test_impossible_blocks_are_refused():
    with pytest.raises(InputError, match="mid_channels must be at least 1, given 0"):
        NonLocal(8, 0)
    with pytest.raises(InputError, match="subsample must be at least 1, given 0"):
        NonLocal(8, 4, subsample=0)
