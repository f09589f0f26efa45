"""In which versions of a Delta table the rows lie that one of its versions wrote, and in which files: as far as its log tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..snapshot.delta import absolute, resolved
from ..snapshot.delta_listing import list_log
from ..snapshot.delta_log import DeltaLog, read_log

_NEW_ROWS = ("WRITE", "STREAMING UPDATE", "CREATE", "REPLACE", "TRUNCATE")
"""How operations of commits begin that never write rows again which were there, but for a WRITE with a predicate."""


_WHOLE = ("RESTORE", "CLONE")
"""Operations of commits whose rows are all that the version has, in whichever version their files were first."""
Times = tuple[tuple[int, int | None], ...]
"""From which version on to before which (None: the newest has it, too)."""


@dataclass(frozen=True)
class Lifetime:
    """Rows of `written` lie in the versions of `times`, in files that one of `carriers` was the first to have: RESTORE brings back what was gone.

    Of a carrier after `written` that is as much as can be said: a commit that writes rows again took away a file that may have held some.
    """

    written: int
    times: Times
    carriers: frozenset[int]

    @property
    def until(self) -> int | None:
        """The version from which on they are gone, None where the newest has them."""
        return self.times[-1][1] if self.times else self.written

    def holds(self, version: int) -> bool:
        return _within(self.times, version)


@dataclass(frozen=True)
class _Span:
    """A file of the table, and the versions that have it."""

    place: str
    times: Times

    @property
    def since(self) -> int:
        return self.times[0][0]


class Log:
    """A table's log, and what follows from all of it. Raises SnapshotError where it cannot be read."""

    def __init__(self, location: str) -> None:
        self.location = absolute(location)
        self.delta: DeltaLog = read_log(location, list_log(location).readable())
        times: dict[str, list[tuple[int, int | None]]] = {}
        for held in self.delta.held:
            times.setdefault(resolved(self.location, held.path), []).append((held.since, held.until))
        self._by_version: dict[int, list[_Span]] = {}
        for place, each in times.items():
            span = _Span(place, _joined(each))
            self._by_version.setdefault(span.since, []).append(span)

    @property
    def newest(self) -> int:
        return self.delta.newest

    def lifetime(self, written: int) -> Lifetime:
        carriers = {written}
        if self._operation(written) in _WHOLE:
            carriers |= {span.since for span in self._spans(written)}
        waiting = list(carriers)
        times: list[tuple[int, int | None]] = []
        while waiting:
            for span in self._by_version.get(waiting.pop(), ()):
                for since, until in span.times:
                    if until is not None and until <= written:
                        continue
                    times.append((max(since, written), until))
                    if until is not None and until not in carriers and self._writes_again(until):
                        carriers.add(until)
                        waiting.append(until)
        return Lifetime(written, _joined(times), frozenset(carriers))

    def files(self, version: int, first_in: Iterable[int] | None = None) -> set[str]:
        """The places of a version's files: those that one of these versions was the first to have."""
        return {span.place for span in self._spans(version, first_in)}

    def _spans(self, version: int, first_in: Iterable[int] | None = None) -> Iterator[_Span]:
        for since in self._by_version if first_in is None else first_in:
            for span in self._by_version.get(since, ()):
                if _within(span.times, version):
                    yield span

    def _operation(self, version: int) -> str:
        return str(self._commit(version).get("operation", "")).upper()

    def _commit(self, version: int) -> dict[str, Any]:
        state = self.delta.states.get(version)
        return state.commit if state is not None else {}

    def _writes_again(self, version: int) -> bool:
        """Whether a commit may have written rows again that it took away, as they were. What is not known may."""
        if not self._operation(version).startswith(_NEW_ROWS):
            return True
        predicate = str((self._commit(version).get("operationParameters") or {}).get("predicate") or "")
        return predicate not in ("", "[]", "true", '["true"]')


def _within(times: Times, version: int) -> bool:
    return any(since <= version and (until is None or version < until) for since, until in times)


def _joined(times: Iterable[tuple[int, int | None]]) -> Times:
    """The same versions, where what follows without a gap is one: a file whose deletion vector changes is there still."""
    joined: list[tuple[int, int | None]] = []
    for since, until in sorted(times, key=lambda one: one[0]):
        first, last = joined[-1] if joined else (since, -1)
        if last is not None and last < since:
            joined.append((since, until))
        else:
            joined[-1] = (first, None if last is None or until is None else max(last, until))
    return tuple(joined)
