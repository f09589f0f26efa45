"""In which versions of a Delta table the rows lie that one of its versions wrote, and in which files: as far as its log tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..snapshot.delta import absolute, resolved
from ..snapshot.delta_listing import list_log
from ..snapshot.delta_log import DeltaLog, read_log

_NEW_ROWS = ("WRITE", "STREAMING UPDATE", "CREATE", "REPLACE", "TRUNCATE")
"""How operations of commits begin that never write rows again which were there, but for a WRITE with a predicate."""


@dataclass(frozen=True)
class Lifetime:
    """Rows of `written` lie in the versions before `until` (None: in the newest, too), in files that one of `carriers` was the first to have.

    Of a carrier after `written` that is as much as can be said: a commit that writes rows again took away a file that may have held some.
    """

    written: int
    until: int | None
    carriers: frozenset[int]

    def holds(self, version: int) -> bool:
        return self.written <= version and (self.until is None or version < self.until)


@dataclass(frozen=True)
class _Span:
    """A file of the table: the version that first had it, the first that had it no more."""

    place: str
    since: int
    until: int | None


class Log:
    """A table's log, and what follows from all of it. Raises SnapshotError where it cannot be read."""

    def __init__(self, location: str) -> None:
        self.location = absolute(location)
        self.delta: DeltaLog = read_log(location, list_log(location).readable())
        spans: dict[str, _Span] = {}
        for held in self.delta.held:
            place = resolved(self.location, held.path)
            known = spans.get(place)
            since = held.since if known is None else min(known.since, held.since)
            ended = held.until is not None and (known is None or known.until is not None)
            until = max(held.until or 0, (known.until or 0) if known else 0) if ended else None
            spans[place] = _Span(place, since, until)
        self._by_version: dict[int, list[_Span]] = {}
        for span in spans.values():
            self._by_version.setdefault(span.since, []).append(span)

    @property
    def newest(self) -> int:
        return self.delta.newest

    def lifetime(self, written: int) -> Lifetime:
        carriers, waiting = {written}, [written]
        until: int | None = written
        while waiting:
            for span in self._by_version.get(waiting.pop(), ()):
                until = None if until is None or span.until is None else max(until, span.until)
                if span.until is not None and span.until not in carriers and self._writes_again(span.until):
                    carriers.add(span.until)
                    waiting.append(span.until)
        return Lifetime(written, until, frozenset(carriers))

    def files(self, version: int, first_in: Iterable[int] | None = None) -> set[str]:
        """The places of a version's files: those that one of these versions was the first to have."""
        return {
            span.place
            for since in (self._by_version if first_in is None else first_in)
            for span in self._by_version.get(since, ())
            if since <= version and (span.until is None or version < span.until)
        }

    def _writes_again(self, version: int) -> bool:
        """Whether a commit may have written rows again that it took away, as they were. What is not known may."""
        state = self.delta.states.get(version)
        commit = state.commit if state is not None else {}
        if not str(commit.get("operation", "")).upper().startswith(_NEW_ROWS):
            return True
        predicate = str((commit.get("operationParameters") or {}).get("predicate") or "")
        return predicate not in ("", "[]", "true", '["true"]')
