import threading
from collections.abc import Sequence

import pytest

from tercet.store.errors import StoreBusy
from tercet.store.merging import Merging


def _run_all(merging: Merging[int, int], items: Sequence[int]) -> dict[int, int | Exception]:
    results: dict[int, int | Exception] = {}

    def call(item: int) -> None:
        try:
            results[item] = merging.run(item)
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            results[item] = error

    threads = [threading.Thread(target=call, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def test_calls_that_wait_together_are_done_together_and_each_gets_its_own_result() -> None:
    sizes: list[int] = []
    first_is_in, others_wait = threading.Event(), threading.Event()

    def together(items: Sequence[int]) -> list[int | Exception]:
        sizes.append(len(items))
        if len(sizes) == 1:
            first_is_in.set()
            others_wait.wait(timeout=30)
        return [item * 2 for item in items]

    merging: Merging[int, int] = Merging(together)
    leader = threading.Thread(target=merging.run, args=(0,))
    leader.start()
    assert first_is_in.wait(timeout=30)
    threading.Timer(0.3, others_wait.set).start()
    results = _run_all(merging, range(1, 21))
    leader.join(timeout=30)
    assert results == {item: item * 2 for item in range(1, 21)}
    assert sum(sizes) == 21
    assert max(sizes) > 1


def test_one_callers_error_is_that_callers_alone() -> None:
    def together(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError(f"no {item}") if item == 3 else item for item in items]

    results = _run_all(Merging(together), range(6))
    assert isinstance(results.pop(3), ValueError)
    assert results == {item: item for item in (0, 1, 2, 4, 5)}


def test_what_the_work_raises_is_everybodys_error_and_nobody_waits_for_ever() -> None:
    def together(items: Sequence[int]) -> list[int | Exception]:
        raise StoreBusy("locked")

    assert all(isinstance(error, StoreBusy) for error in _run_all(Merging(together), range(8)).values())


def test_an_interrupt_reaches_its_own_thread() -> None:
    def together(items: Sequence[int]) -> list[int | Exception]:
        raise KeyboardInterrupt

    merging: Merging[int, int] = Merging(together)
    with pytest.raises(KeyboardInterrupt):
        merging.run(1)
