import threading

import numpy as np

from train.data.buffers import Buffers


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_once_nobody_holds_it():
    buffers = Buffers(keep=2)
    first = buffers.take((4, 1000))
    place = address(first)
    assert first.dtype == np.float32 and first.flags.writeable and first.flags.c_contiguous
    del first
    assert address(buffers.take((4, 1000))) == place


def test_a_view_keeps_its_memory():
    buffers = Buffers(keep=2)
    batch = buffers.take((4, 1000))
    batch[:] = 1
    row, place = batch[2:][0, ::3], address(batch)
    del batch
    other = buffers.take((4, 1000))
    other[:] = 2
    assert address(other) != place and (row == 1).all()
    del row
    assert address(buffers.take((4, 1000))) == place


def test_of_another_shape_it_is_given_up_and_no_more_is_kept_than_asked():
    buffers = Buffers(keep=2)
    held = [buffers.take((4, 1000)) for _ in range(5)]
    places = {address(array) for array in held}
    assert len(places) == 5
    del held
    again = [buffers.take((4, 1000)) for _ in range(2)]
    assert {address(array) for array in again} < places
    assert buffers.take((2, 1000)).shape == (2, 1000)
    again.clear()  # too late: of the shape before
    assert buffers.take((2, 1000)).shape == (2, 1000)
    assert buffers.take((4, 1000)).shape == (4, 1000)


def test_threads_never_share_memory():
    buffers, wrong = Buffers(keep=3), []

    def work(number):
        for turn in range(300):
            array = buffers.take((1 + turn // 100, 50))
            array[:] = number
            if not (array == number).all() or len(array) != 1 + turn // 100:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
