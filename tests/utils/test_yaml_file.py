import time

import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.utils.yaml_file import DEEPEST, read_yaml


def test_words_numbers_and_lists_come_back(tmp_path):
    content = {"a": [1, 2.5, "x"], "b": {"c": None, "d": True}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
    assert read_yaml(tmp_path / "a.yaml") == content


def test_aliases_are_followed_unless_they_are_not_allowed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &x [1]\nb: *x\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1], "b": [1]}
    with pytest.raises(ValueError):
        read_yaml(tmp_path / "a.yaml", aliases=False)


def test_deep_nesting_is_refused_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text("[" * DEEPEST + "]" * DEEPEST)
    read_yaml(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("[" * 100_000)
    start = time.process_time()
    with pytest.raises(ValueError):
        read_yaml(tmp_path / "a.yaml")
    assert time.process_time() - start < 10  # what is built of it takes hours


def test_a_file_holding_code_is_none(tmp_path):
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match="a.yaml: tag .*os.system', only words, numbers, lists"):
        read_yaml(tmp_path / "a.yaml")
