"""Photos that wait for the network: bounded, and answered together where they come together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from catsdogs.model.answer import Answer

Compute = Callable[[np.ndarray], Sequence[Answer]]
"""Photos, uint8 `(n, height, width, 3)`, to an answer for each."""


class LineFull(Exception):  # noqa: N818, an answer to the client, and no fault
    """More photos wait than the line holds."""


@dataclass(eq=False)  # each is itself: photos do not compare
class _Waiting:
    """A photo in line: what computes its answer, and where that is waited for."""

    compute: Compute
    photo: np.ndarray
    answer: asyncio.Future[Answer]


class WaitingLine:
    """One network at a time computes; what has come meanwhile goes through it together.

    Args:
        length: photos that may wait; one more is refused.
        batch_size: photos that are computed together at most.

    Attributes:
        num_answered: photos so far.
    """

    def __init__(self, length: int = 256, batch_size: int = 32) -> None:
        self._length = length
        self._batch_size = batch_size
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._task: asyncio.Task[None] | None = None
        self.num_answered = 0

    @property
    def num_waiting(self) -> int:
        """Photos that have not been taken yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to answer; called within the running loop."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Answer nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def ask(self, compute: Compute, photos: Sequence[np.ndarray]) -> list[Answer]:
        """Wait for the answers to some photos.

        Raises:
            LineFull: there is no room for all of them.
        """
        if len(self._waiting) + len(photos) > self._length:
            raise LineFull
        loop = asyncio.get_running_loop()
        mine = [_Waiting(compute, photo, loop.create_future()) for photo in photos]
        self._waiting += mine
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(waiting.answer for waiting in mine)))
        finally:  # a client that has gone needs no answer
            self._waiting = [waiting for waiting in self._waiting if waiting not in mine]

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if not await self._answer_some():
                self._arrived.clear()

    async def _answer_some(self) -> bool:
        """Answer the head of the line; whether there was any.

        Apart from `_work`, so that nothing of a batch, nor its network, is held until the next.
        """
        batch = self._take()
        if not batch:
            return False
        photos = np.stack([waiting.photo for waiting in batch])
        loop = asyncio.get_running_loop()
        computing = loop.run_in_executor(self._pool, batch[0].compute, photos)
        await asyncio.wait([computing])
        error = computing.exception()  # whoever asked is told; the line goes on
        self.num_answered += 0 if error else len(batch)
        for index, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if error:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(computing.result()[index])
        return True

    def _take(self) -> list[_Waiting]:
        """The photos at the head of the line that the same network answers."""
        waiting = [waiting for waiting in self._waiting if not waiting.answer.done()]
        batch: list[_Waiting] = []
        for one in waiting:
            if len(batch) == self._batch_size or one.compute != waiting[0].compute:
                break
            batch.append(one)
        self._waiting = waiting[len(batch) :]
        return batch
