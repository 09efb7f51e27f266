import pytest

import gluon_glore
from tests.helpers.without_mxnet import needs_mxnet


@needs_mxnet
@pytest.mark.parametrize("name", gluon_glore.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    found = getattr(gluon_glore, name)
    assert found.__name__ == name and found.__doc__


def test_a_name_that_is_not_there_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="module 'gluon_glore' has no attribute 'get_modle'"):
        gluon_glore.get_modle  # noqa: B018
