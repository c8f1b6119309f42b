"""Pieces of work that do not depend on each other, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

T = TypeVar("T")


class Workers:
    """Threads of which each does a piece of work by itself.

    Several pieces on a thread each take better to a busy machine than one piece on several: those
    wait for each other at every product, these never. Nor do the bits of a result depend on how
    many there are.

    Parameters
    ----------
    n
        How many, at most. torch must be set to one thread where there is more than one.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Results in the order of the tasks; the first error, once what has begun is done."""
        if min(self.n, len(tasks)) < 2:
            return [task() for task in tasks]

        def one(task: Callable[[], T]) -> T:
            with torch.no_grad():  # a setting of each thread
                return task()

        # A new thread has as many threads for linear algebra as there are cores until it is told
        # otherwise, and there they spin while they wait.
        pool = ThreadPoolExecutor(
            min(self.n, len(tasks)), initializer=torch.set_num_threads, initargs=(1,)
        )
        try:
            futures = [pool.submit(one, task) for task in tasks]
            wait(futures, return_when=FIRST_EXCEPTION)
            return [future.result() for future in futures if future.done()]
        finally:
            pool.shutdown(cancel_futures=True)
