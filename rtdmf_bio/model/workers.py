"""Pieces of work that do not depend on each other, several at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import torch

_SWITCH = 5e-4  # seconds that a thread may keep the others waiting for Python itself


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

    def each(
        self,
        tasks: Sequence[Callable[[], Any]],
        then: Sequence[Callable[[Any], Any]] | None = None,
    ) -> list[Any]:
        """Results in the order of the tasks; the first error, once what has begun is done.

        Parameters
        ----------
        tasks
            What is to be done.
        then
            What goes on with each result, so that two short pieces of work may take turns where
            one long one would leave a worker idle; None: nothing.
        """
        if min(self.n, len(tasks)) < 2:
            done = [task() for task in tasks]
            return done if then is None else [go_on(x) for go_on, x in zip(then, done, strict=True)]

        def one(task: Callable[..., Any], *of: Future[Any]) -> Any:
            with torch.no_grad():  # a setting of each thread
                return task(*(earlier.result() for earlier in of))

        # A new thread has as many threads for linear algebra as there are cores until it is told
        # otherwise, and there they spin while they wait.
        pool = ThreadPoolExecutor(
            min(self.n, len(tasks)), initializer=torch.set_num_threads, initargs=(1,)
        )
        before = sys.getswitchinterval()
        try:
            sys.setswitchinterval(_SWITCH)
            futures = [pool.submit(one, task) for task in tasks]
            # All of those begin before these, which so wait for nothing that has not begun.
            more = [pool.submit(one, *pair) for pair in zip(then or (), futures, strict=False)]
            wait([*futures, *more], return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
            return [future.result() for future in more or futures if future.done()]
        finally:
            pool.shutdown(cancel_futures=True)
            sys.setswitchinterval(before)
