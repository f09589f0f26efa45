"""What the ingester remembers of one application run's folder after its documents are gone: ``ledger/<run>.json``.

Numbers that never came can only be told by who remembers those that did. A ledger is written as part of the batch protocol
(`batch.py`): the ledgers that follow from a batch are in its manifest before any of them is replaced, so a crash cannot
leave one behind or count a document twice.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InboxError
from .folder import InboxFolder
from .sequences import Sequences

FORMAT = 1


@dataclass(frozen=True)
class OpenRun:
    """A run that has not ended. `last_time_ms` is the event time of its latest document, epoch milliseconds."""

    run_id: str
    job_name: str | None
    last_time_ms: int
    lost: bool = False


@dataclass(frozen=True)
class Ledger:
    """What is known of an application run's folder."""

    run: str
    """The application run's id, which is the folder's name."""
    batch: int = 0
    """The last batch that had something of this folder."""
    ingested: Sequences = field(default_factory=Sequences)
    """Numbers whose documents are in the tables."""
    quarantined: Sequences = field(default_factory=Sequences)
    """Numbers whose documents are in quarantine."""
    last_sequence: int | None = None
    """The highest number given out, as the application's end document says; None before it came."""
    end_status: str | None = None
    """What the application's end document said."""
    last_time_ms: int = 0
    """The latest event time of any document, epoch milliseconds."""
    exit_error: str | None = None
    """What exit.json said went wrong; ``""`` where it said that nothing did; None before it came."""
    resumed: bool = False
    """True where an earlier ledger of this run is known to be lost: then nothing is said of missing documents."""
    datasets_allow: tuple[str, ...] = ()
    datasets_deny: tuple[str, ...] = ()
    masking_functions: tuple[str, ...] = ()
    executables_store: str | None = None
    """Where the application wants its executables kept, empty for no place of their own; None before its start document came."""
    runs: dict[str, OpenRun] = field(default_factory=dict)
    """The application's run and those opened in it, by id, as long as they have not ended."""

    def opened(self, run_id: str, job_name: str | None, time_ms: int) -> Ledger:
        """A start document came."""
        earlier = self.runs.get(run_id, OpenRun(run_id, job_name, 0))
        return self._with_run(OpenRun(run_id, job_name, max(earlier.last_time_ms, time_ms)))

    def heard(self, run_id: str, job_name: str | None, time_ms: int) -> Ledger:
        """Another document of the run came: whatever was thought of it, it is not lost."""
        if self.ended and run_id == self.run:
            return replace(self, last_time_ms=max(self.last_time_ms, time_ms))
        earlier = self.runs.get(run_id, OpenRun(run_id, job_name, 0))
        return self._with_run(OpenRun(run_id, earlier.job_name, max(earlier.last_time_ms, time_ms)))

    def closed(self, run_id: str, time_ms: int) -> Ledger:
        """An end document came."""
        runs = {key: run for key, run in self.runs.items() if key != run_id}
        return replace(self, runs=runs, last_time_ms=max(self.last_time_ms, time_ms))

    def given_up(self) -> Ledger:
        """Nothing more is expected of the runs that have not ended."""
        return replace(self, runs={key: replace(run, lost=True) for key, run in self.runs.items()})

    def _with_run(self, run: OpenRun) -> Ledger:
        return replace(self, runs={**self.runs, run.run_id: run}, last_time_ms=max(self.last_time_ms, run.last_time_ms))

    @property
    def open_runs(self) -> list[OpenRun]:
        """The runs that have neither ended nor been given up."""
        return [run for run in self.runs.values() if not run.lost]

    @property
    def ended(self) -> bool:
        """Whether the application's end document was ingested."""
        return self.last_sequence is not None

    @property
    def highest(self) -> int:
        """The highest number that is accounted for, -1 where there is none."""
        return max(self.ingested.highest, self.quarantined.highest)

    @property
    def awaited(self) -> Sequences:
        """Numbers that were given out and whose documents were never seen."""
        through = max(self.highest, -1 if self.last_sequence is None else self.last_sequence)
        return self.ingested.union(self.quarantined).gaps(through)

    @property
    def documents_missing(self) -> int | None:
        """How many documents the tables lack: those that never came and those in quarantine. None where it cannot be told."""
        return None if self.resumed else len(self.awaited) + len(self.quarantined)


def read_ledger(inbox: InboxFolder, run: str) -> Ledger | None:
    """The ledger of a run, None where there is none. Raises `InboxError` for one that cannot be understood."""
    data = inbox.read(_path(run))
    if data is None:
        return None
    try:
        return from_json(json.loads(data))
    except (ValueError, KeyError, TypeError) as error:
        raise InboxError(
            f"{inbox.location}/{_path(run)} cannot be understood ({error}); if it is damaged, remove it: "
            f"then only the count of missing documents of that run is lost"
        ) from error


def write_ledger(inbox: InboxFolder, ledger: Ledger) -> None:
    inbox.replace(_path(ledger.run), json.dumps(to_json(ledger)).encode())


def ledgers(inbox: InboxFolder) -> list[str]:
    """The runs that have a ledger."""
    return [name.removesuffix(".json") for name in inbox.names("ledger") if name.endswith(".json")]


def remove_ledger(inbox: InboxFolder, run: str) -> None:
    inbox.remove(_path(run))


def to_json(ledger: Ledger) -> dict[str, Any]:
    values = {f.name: getattr(ledger, f.name) for f in dataclasses.fields(ledger)}
    values["format"] = FORMAT
    values["ingested"] = ledger.ingested.ranges
    values["quarantined"] = ledger.quarantined.ranges
    values["runs"] = [dataclasses.asdict(run) for run in ledger.runs.values()]
    return values


def from_json(values: dict[str, Any]) -> Ledger:
    if values["format"] > FORMAT:
        raise ValueError(f"format {values['format']}, and this release knows {FORMAT}")
    known = {f.name for f in dataclasses.fields(Ledger)}
    kept = {name: value for name, value in values.items() if name in known}
    kept["ingested"] = _sequences(values["ingested"])
    kept["quarantined"] = _sequences(values["quarantined"])
    kept["datasets_allow"] = tuple(values["datasets_allow"])
    kept["datasets_deny"] = tuple(values["datasets_deny"])
    kept["masking_functions"] = tuple(values.get("masking_functions", ()))  # there are ledgers of releases without it
    kept.setdefault("executables_store", "")  # a ledger of a release whose runs could not say so
    kept["runs"] = {run["run_id"]: OpenRun(**run) for run in values["runs"]}
    return Ledger(**kept)


def _sequences(ranges: list[list[int]]) -> Sequences:
    return Sequences(tuple((int(first), int(last)) for first, last in ranges))


def _path(run: str) -> str:
    return f"ledger/{run}.json"
