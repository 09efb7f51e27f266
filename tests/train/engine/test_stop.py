import os
import signal

import numpy as np
import pytest

from train.engine.comm import LocalComm
from train.engine.stop import StopFlag


class OtherAsked(LocalComm):
    """Stands for two ranks, the other of which was asked."""

    size = 2

    def sum(self, values):
        return np.asarray(values, np.float64) + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_only_sets_the_flag_and_the_handlers_come_back(number):
    before = signal.getsignal(number)
    with StopFlag() as stop:
        assert not stop.agreed(LocalComm())
        os.kill(os.getpid(), number)
        assert stop.agreed(LocalComm())
    assert signal.getsignal(number) is before


def test_sigterm_may_come_again_but_a_second_interrupt_ends_at_once():
    with StopFlag():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # horovodrun and a scheduler may both send it
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_one_rank_is_asked_all_agree_on():
    assert StopFlag().agreed(OtherAsked())
