import sys

import pytest

from gluon_glore import InputError
from gluon_glore.utils.extras import require


def test_a_package_that_is_there_is_not_imported():
    before = set(sys.modules)
    require("wave", "train")
    assert "wave" not in set(sys.modules) - before


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    hint = r"pip install '\.\[train\]' in a checkout of this project"
    with pytest.raises(InputError, match=f"^no_such_package is not installed: {hint}$"):
        require("no_such_package", "train")
    monkeypatch.setitem(sys.modules, "wave", None)  # as where its import is blocked
    with pytest.raises(InputError, match=f"^sounds needs the package wave: {hint}$"):
        require("wave", "train", "sounds")
