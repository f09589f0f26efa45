"""How far long work is: a bar on a terminal, a line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..snapshot.sums import Progress

_SECONDS = 10.0
Item = TypeVar("Item")


@contextmanager
def progress(doing: str) -> Iterator[Progress]:
    """`doing` is the word before the figures, which are bytes."""
    if not sys.stderr.isatty():
        yield _lines(doing)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(doing: str) -> Progress:
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            print(f"{doing}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", file=sys.stderr, flush=True)

    return tell


class Working:
    """What is being done, of steps whose length is not known: on a terminal with how long it takes so far, elsewhere a line for each."""

    def __init__(self, bar: Any = None) -> None:
        self._bar = bar
        self._task: Any = None

    def told(self, text: str) -> None:
        """The next step begins."""
        if self._bar is None:
            print(text, file=sys.stderr, flush=True)
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(text, total=None)

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """The same items; while one is shown, and when there are no more, nothing is drawn."""
        for item in items:
            if self._bar is not None:
                self._bar.stop()
            yield item
            if self._bar is not None:
                self._bar.start()
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def working() -> Iterator[Working]:
    """For as long as it takes."""
    if not sys.stderr.isatty():
        yield Working()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        yield Working(bar)
