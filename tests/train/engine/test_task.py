import inspect

import pytest

from train.cityscapes import Segmentation
from train.engine.task import Task
from train.imagenet import Classification
from train.kinetics import Recognition

METHODS = [name for name, member in vars(Task).items() if inspect.isfunction(member)]
METHODS = [name for name in METHODS if not name.startswith("_")]


@pytest.mark.parametrize("task", [Classification(), Segmentation(), Recognition()])
def test_a_task_has_all_that_a_trainer_asks_of_it(task):
    assert len(METHODS) == 7 and len(Task.__annotations__) == 4
    for name in Task.__annotations__:
        assert getattr(task, name), name
    for name in METHODS:
        asked = list(inspect.signature(getattr(Task, name)).parameters)[1:]
        given = inspect.signature(getattr(task, name)).parameters
        assert list(given)[: len(asked)] == asked, name
        beside = list(given.values())[len(asked) :]
        assert all(option.default is not option.empty for option in beside), name
