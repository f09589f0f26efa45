"""From captured documents to lineage tables, exactly once: inbox -> plan.document.read -> lineage.resolve -> store.

`ingest` is the way in, `_Ingester._apply` the way of the data. What makes it safe to kill at any instruction is in
``inbox/batch.py`` and, for people, in ``docs/ingestion.md``. ``python -m spark_lineage.ingest`` is the child that attach()
starts beside a driver.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from . import __version__, faults
from .errors import DocumentError, LineageError, StoreError
from .inbox import batch as batches
from .inbox import quarantine as quarantines
from .inbox.batch import Batch
from .inbox.exits import exit_error, exits
from .inbox.folder import DOCUMENT_BYTES_MAX, InboxDocument, InboxFolder, open_inbox
from .inbox.ledger import Ledger, read_ledger
from .inbox.progress import write_progress
from .inbox.turns import Turns
from .inbox.watch import Process
from .lineage.limits import Limits
from .lineage.resolve import RunContext, records_of_execution, records_of_run_end, records_of_run_start
from .model import Records, Run
from .plan.document import ExecutionDocument, RunEnd, RunStart
from .plan.document import read as read_document
from .rights import is_shared, make_folder
from .run_reads import reads_before
from .snapshot.deferred import SETTLE_SECONDS, Deferred
from .snapshot.policy import Policy
from .store.executables import Executables
from .store.preserving import Preserver, Preserving
from .store.rows import arrow_of
from .store.schemas import TABLES
from .store.signing import Signer
from .store.tables import Store, Transaction, literal

log = logging.getLogger(__name__)

CONTENT_NAMED = {
    "schemas": "schema_hash",
    "plans": "plan_id",
    "session_confs": "session_confs_id",
    "dataset_lineage": "lineage_id",
    "column_lineage": "lineage_id",
    "executable_blobs": "executable_id",
}
"""Tables whose rows are named by their content, with the column that names them: only what is not there is appended."""
UPSERTED = ("datasets", "runs")
APPENDED = ("inputs", "outputs", "plan_executables", "executions")
"""In this order after the ones above, so that an execution is seen only when everything about it is there."""

LOST_AFTER_SECONDS = 3600.0
LOG_BYTES = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class IngestReport:
    """What one call of `ingest` did."""

    documents: int = 0
    """Documents whose rows are in the tables now, those in quarantine left out."""
    batches: int = 0
    executions: int = 0
    quarantined: int = 0
    runs: tuple[str, ...] = ()
    """Application runs that something was ingested of."""
    lost: tuple[str, ...] = ()
    """Application runs that were found lost."""
    put_back: int = 0
    """Documents that were taken out of quarantine to be tried again."""
    warnings: tuple[str, ...] = ()


def ingest(
    inbox: str,
    store: str,
    *,
    watch: bool = False,
    follow: str | None = None,
    driver_pid: int | None = None,
    final: bool = False,
    retry_quarantine: bool = False,
    poll_seconds: float = 0.2,
    lost_after_seconds: float = LOST_AFTER_SECONDS,
    progress: Callable[[IngestReport], None] | None = None,
    stop: threading.Event | None = None,
    executables_store: str = "",
    executables_key: str = "",
    snapshots: Policy | None = None,
    preserve: Preserving | None = None,
) -> IngestReport:
    """Brings the documents of `inbox` into the tables of `store`, making the tables where there are none.

    By default until nothing waits. With `watch` until `stop` is set. With `follow`, an application run's id, until that
    run has ended, or the driver of `driver_pid` is gone and its folder has been quiet for three seconds; what is
    found of other runs comes in as well. `final` says that no driver is alive any more: runs without an end are lost at once,
    others once their last document is older than `lost_after_seconds`. `progress` is called after each batch.
    `executables_store` and `executables_key` are the options of these names. `snapshots` says of which versions the checksum is
    taken once their documents are in the tables: with `follow` when the run is over, or ten minutes after the version was written.
    `preserve` are the options of `snapshots.preserve`: what is copied as it was read.

    Any number of processes may do this to the same inbox and store at once. Raises `InboxError` and `StoreError` where
    one of them cannot be used; with `watch` or `follow` this is logged and tried again instead. In either case
    documents stay in the inbox until they are in the tables.
    """
    folder = open_inbox(inbox, create=watch or follow is not None)
    # who waits for the report reads the warnings there; nobody waits for a watcher's
    tell = log.warning if watch or follow is not None else log.info
    stop = stop or threading.Event()
    deferred = None if snapshots is None else Deferred(store, snapshots, SETTLE_SECONDS if follow is not None else 0.0)
    ingester = _Ingester(
        folder, store, progress or (lambda report: None), tell, executables_store, executables_key, deferred, preserve
    )
    turns = Turns(folder, ingester, stop, poll_seconds, lost_after_seconds)
    try:
        if retry_quarantine:
            turns.once(ingester.put_back)
        if follow is not None:
            turns.until_ended(follow, Process(driver_pid) if driver_pid is not None else None)
        elif watch:
            turns.until_stopped()
        else:
            turns.until_empty(final=final)
    finally:
        folder.close()
    if deferred is not None:
        deferred.finish(stop)
    return ingester.report


class _Ingester:
    """One reader of the inbox. Its methods are called by who holds the inbox's lock, in the thread that has it."""

    def __init__(
        self,
        inbox: InboxFolder,
        store_location: str,
        progress: Callable[[IngestReport], None],
        tell: Callable[[str, str], None],
        executables_store: str,
        executables_key: str,
        deferred: Deferred | None = None,
        preserve: Preserving | None = None,
    ) -> None:
        self._deferred = deferred
        policy = preserve or Preserving()
        patterns = Limits(allow=policy.patterns)
        self._preserver = Preserver(
            policy, lambda one: patterns.admits_place(one.name, f"{one.namespace}/{one.name}", one.alias), self._warn
        )
        self._executables = Executables(executables_store, Signer(executables_key, self._warn), self._warn)
        self.inbox = inbox
        self._tell = tell
        self.report = IngestReport()
        self.was_full = False
        self._store_location = store_location
        self._progress = progress
        self._opened: Store | None = None
        self._floor: int | None = None

    def complete_unfinished(self) -> None:
        """Brings to the end what an ingester before us began."""
        for batch in batches.unfinished(self.inbox):
            if batch.store != self._store.location:
                self._warn(
                    f"batch {batch.number} was begun for the tables at {batch.store} and is completed in {self._store.location}"
                )
            self._complete(batches.begin_again(self.inbox, batch) if batch.stage == "sealed" else batch)

    def take_batch(self, lost: Iterable[str] = ()) -> bool:
        """Seals and completes one batch. False where there was nothing to do."""
        documents = batches.choose(self.inbox, self._warn)
        self.was_full = batches.is_full(documents)
        found = exits(self.inbox)
        lost = tuple(lost)
        if not documents and not found and not lost:
            return False
        unsealed = Batch(
            inbox_id=self.inbox.inbox_id,
            number=self._numbers_used(),
            stage="sealed",
            sealed_ms=time.time_ns() // 1_000_000,
            store=self._store.location,
            documents=documents,
            exits=found,
            lost=lost,
        )
        self._complete(batches.seal(self.inbox, dataclasses.replace(unsealed, resumed=self._resumed(unsealed.runs))))
        return True

    def put_back(self) -> None:
        """Puts the documents in quarantine back into their folders."""
        count = quarantines.put_back(self.inbox)
        self.report = dataclasses.replace(self.report, put_back=self.report.put_back + count)

    def _complete(self, batch: Batch) -> None:
        if batch.stage == "sealed":
            batch = self._apply(batch)
        batches.finish(self.inbox, batch)
        for ledger in batch.ledgers:
            write_progress(self.inbox, ledger)
        self._progress(self.report)

    def _apply(self, batch: Batch) -> Batch:
        """Documents to rows to tables. Done again after a crash, it gives the same rows, and tables that have them skip them."""
        rows = self._rows_of(batch)
        faults.point("batch.read")
        self._append(rows.by_table, Transaction(batch.inbox_id, batch.number))
        self._preserver.preserve(self._store, rows.by_table["inputs"])
        applied = batches.mark_applied(self.inbox, batch, list(rows.ledgers.values()))
        if self._deferred is not None:
            self._deferred.offer(rows.by_table["outputs"], rows.by_table["inputs"])
        self._count(batch, rows)
        return applied

    def _rows_of(self, batch: Batch) -> _BatchRows:
        """The rows of a batch, known to fit the tables: nothing is written when one document's rows do not."""
        rows = self._read_documents(batch, checked=False)
        try:
            rows.check()
        except Exception:  # a value that no column takes, say: look at each document's rows to find which one it is
            rows = self._read_documents(batch, checked=True)
        for run, content in batch.exits.items():
            rows.take_exit(run, content)
        for run in batch.lost:
            rows.take_lost(run)
        rows.take_folders()
        return rows

    def _read_documents(self, batch: Batch, *, checked: bool) -> _BatchRows:
        """Reads each document, and puts into quarantine what cannot be read.

        When a batch is applied again, it is written down which document is being read, so that one that kills its reader
        (it takes all the memory, say) is found out.
        """
        ledgers = {run: self._ledger(batch, run) for run in batch.runs}
        rows = _BatchRows(self._store, ledgers, batch, self._executables, checked=checked)
        try:
            self.inbox.read_ahead(one.path for one in batch.documents if one.size <= DOCUMENT_BYTES_MAX)
            for document in batch.documents:
                if batch.attempts:
                    batches.mark_reading(self.inbox, document)
                reason = self._read(document, rows, deadly=document.path in batch.deadly)
                if reason is not None:
                    self._put_aside(document, reason, rows)
        except MemoryError:
            raise
        except BaseException:  # no fault of the document's
            batches.mark_reading(self.inbox, None)
            raise
        if batch.attempts:
            batches.mark_reading(self.inbox, None)
        return rows

    def _put_aside(self, document: InboxDocument, reason: str, rows: _BatchRows) -> None:
        self._warn(f"{document.path} goes to quarantine: {reason}")
        quarantines.quarantine(self.inbox, document, reason, __version__)
        rows.take_quarantined(document)

    def _read(self, document: InboxDocument, rows: _BatchRows, *, deadly: bool) -> str | None:
        """Takes one document into `rows`. Gives the reason where that is not possible, and then `rows` is as before."""
        if document.size > DOCUMENT_BYTES_MAX:
            return f"it has {document.size} bytes, more than {DOCUMENT_BYTES_MAX}"
        try:
            data = self.inbox.read(document.path)
            if data is None:
                self._take_absent(document, rows)
                return None
            if deadly:
                return f"{batches.DEATHS_MAX} ingesters died while they read this document"
            faults.point("document.read")
            rows.take_document(document, data)
        except (StoreError, MemoryError):
            raise
        except LineageError as error:
            return str(error)
        except Exception as error:  # a defect of ours, met by one document: the others go on
            log.info("%s cannot be resolved", document.path, exc_info=True)
            return f"{type(error).__name__} while it was resolved: {error}"
        return None

    def _take_absent(self, document: InboxDocument, rows: _BatchRows) -> None:
        if quarantines.is_quarantined(self.inbox, document):
            rows.take_quarantined(document)
        else:
            self._warn(f"{document.path} was removed by somebody after it was sealed into a batch; it counts as missing")

    def _append(self, by_table: dict[str, list[Any]], transaction: Transaction) -> None:
        for table, key in CONTENT_NAMED.items():
            rows = by_table[table]
            self.inbox.confirm()
            known = self._store.known(table, key, {getattr(row, key) for row in rows})
            self._store.append(table, [row for row in rows if getattr(row, key) not in known], transaction)
            faults.point(f"store.{table}")
        for table in UPSERTED:
            self.inbox.confirm()
            self._store.upsert(table, by_table[table], transaction)
            faults.point(f"store.{table}")
        for table in APPENDED:
            self.inbox.confirm()
            self._store.append(table, by_table[table], transaction)
            faults.point(f"store.{table}")

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = Store.open(self._store_location, create=True, executables=self._executables.place)
        return self._opened

    def _numbers_used(self) -> int:
        """The highest batch number that a table has of this inbox: its batches/ may be older than that, put back from a backup."""
        if self._floor is None or not self.inbox.names("batches"):
            tables = [self._store.delta_table(table) for table in (*CONTENT_NAMED, *UPSERTED, *APPENDED)]
            self._floor = max(table.transaction_version(self.inbox.inbox_id) or 0 for table in tables)
        return self._floor

    def _resumed(self, runs: Iterable[str]) -> tuple[str, ...]:
        """Those of `runs` that the tables know and that have no ledger: it was swept, or belongs to another inbox."""
        new = [run for run in runs if read_ledger(self.inbox, run) is None]
        return tuple(run for run in new if _recorded_run(self._store, run) is not None)

    def _ledger(self, batch: Batch, run: str) -> Ledger:
        return read_ledger(self.inbox, run) or Ledger(run, resumed=run in batch.resumed)

    def _count(self, batch: Batch, rows: _BatchRows) -> None:
        before = self.report
        self.report = dataclasses.replace(
            before,
            documents=before.documents + rows.documents,
            batches=before.batches + 1,
            executions=before.executions + len(rows.by_table["executions"]),
            quarantined=before.quarantined + rows.quarantined,
            runs=tuple(dict.fromkeys([*before.runs, *(run for run in batch.runs if run not in batch.lost)])),
            lost=tuple(dict.fromkeys([*before.lost, *batch.lost])),
        )

    def _warn(self, message: str) -> None:
        if message not in self.report.warnings and len(self.report.warnings) < 100:
            self._tell("%s", message)
            self.report = dataclasses.replace(self.report, warnings=(*self.report.warnings, message))


class _BatchRows:
    """The rows of a batch by table, and the ledgers that follow from it, built up document by document.

    Nothing here looks at the clock: what comes out depends on the documents, the ledgers before, and the tables.
    """

    def __init__(
        self, store: Store, before: dict[str, Ledger], batch: Batch, executables: Executables, *, checked: bool
    ) -> None:
        self.by_table: dict[str, list[Any]] = {table: [] for table in (*CONTENT_NAMED, *UPSERTED, *APPENDED)}
        self.ledgers = {run: dataclasses.replace(ledger, batch=batch.number) for run, ledger in before.items()}
        self.documents = 0
        self.quarantined = 0
        self._store = store
        self._executables = executables
        self._checked = checked
        self._sealed_ms = batch.sealed_ms
        self._named: dict[str, set[str]] = {table: set() for table in CONTENT_NAMED}

    def take_document(self, document: InboxDocument, data: bytes) -> None:
        """Raises whatever reading and resolving raises, with nothing taken."""
        ledger = self.ledgers[document.run]
        if document.sequence in ledger.ingested:
            raise DocumentError(f"a document number {document.sequence} of this run is in the tables already")
        parsed = read_document(data)
        if parsed.application_run_id != document.run or parsed.sequence != document.sequence:
            raise DocumentError(
                f"it says that it is number {parsed.sequence} of {parsed.application_run_id}, which its name denies"
            )
        ledger = dataclasses.replace(
            ledger,
            ingested=ledger.ingested.with_numbers([document.sequence]),
            quarantined=ledger.quarantined.without([document.sequence]),
        )
        match parsed:
            case RunStart():
                ledger, records = self._start(ledger, parsed)
            case RunEnd():
                ledger, records = self._end(ledger, parsed)
            case ExecutionDocument():
                ledger, records = self._execution(ledger, parsed)
        if self._checked:
            _check({table: getattr(records, table) for table in self.by_table})
        self.ledgers[document.run] = ledger
        self._add(records)
        self.documents += 1

    def check(self) -> None:
        """Raises what a table would when it is given these rows."""
        _check(self.by_table)

    def take_quarantined(self, document: InboxDocument) -> None:
        ledger = self.ledgers[document.run]
        self.quarantined += 1
        if document.sequence not in ledger.ingested:
            quarantined = ledger.quarantined.with_numbers([document.sequence])
            self.ledgers[document.run] = dataclasses.replace(ledger, quarantined=quarantined)

    def take_exit(self, run: str, content: dict[str, Any]) -> None:
        """exit.json: the process of the application failed, whatever its last document said."""
        error = exit_error(content)
        ledger = self.ledgers[run] = dataclasses.replace(self.ledgers[run], exit_error=error)
        if error and ledger.end_status != "failed":
            self.by_table["runs"].append(Run(run_id=run, status="failed", error=error, ended_at=_time(ledger.last_time_ms)))

    def take_lost(self, run: str) -> None:
        """The runs of this folder that have no end will not get one.

        As of the time until which the tables know them alive: an earlier one would not be believed.
        """
        ledger = self.ledgers[run]
        for lost in ledger.open_runs:
            seen_ms = ledger.last_time_ms if lost.run_id == run else lost.last_time_ms
            self.by_table["runs"].append(Run(run_id=lost.run_id, status="lost", last_seen_at=_time(seen_ms)))
        self.ledgers[run] = self.ledgers[run].given_up()

    def take_folders(self) -> None:
        """What is said of an application's run for its folder as a whole, after everything else."""
        for run, ledger in list(self.ledgers.items()):
            if ledger.ended:
                self.take_lost(run)
            elif run not in ledger.runs:  # its start document did not come, or cannot be read
                ledger = self.ledgers[run] = ledger.heard(run, None, ledger.last_time_ms or self._sealed_ms)
            missing = ledger.documents_missing
            self.by_table["runs"].append(Run(run_id=run, last_seen_at=_time(ledger.last_time_ms), documents_missing=missing))

    def _start(self, ledger: Ledger, start: RunStart) -> tuple[Ledger, Records]:
        if start.application:
            ledger = dataclasses.replace(
                ledger,
                datasets_allow=start.datasets_allow,
                datasets_deny=start.datasets_deny,
                masking_functions=start.masking_functions,
                executables_store=start.executables_store,
            )
        return ledger.opened(start.run_id, start.job_name, start.time_ms), records_of_run_start(start)

    def _end(self, ledger: Ledger, end: RunEnd) -> tuple[Ledger, Records]:
        ledger = ledger.closed(end.run_id, end.time_ms)
        if not end.application:
            return ledger, records_of_run_end(end, 0)
        last = max(end.last_sequence or 0, end.sequence)
        ledger = dataclasses.replace(ledger, last_sequence=last, end_status=end.status)
        if ledger.exit_error and end.status == "succeeded":
            end = dataclasses.replace(end, status="failed", error=ledger.exit_error)
        return ledger, records_of_run_end(end, ledger.documents_missing or 0)

    def _execution(self, ledger: Ledger, execution: ExecutionDocument) -> tuple[Ledger, Records]:
        known = ledger.runs.get(execution.run_id)
        job_name = known.job_name if known else self._recorded_job_name(execution.run_id)
        context = RunContext(
            job_name=job_name,
            datasets_allow=ledger.datasets_allow,
            datasets_deny=ledger.datasets_deny,
            reads=functools.cache(lambda: reads_before(execution, self._store, self.by_table)),
            masks=frozenset(name.lower() for name in ledger.masking_functions),
        )
        records = records_of_execution(execution, context)
        records = self._executables.kept(records, ledger.run, ledger.executables_store, self._store.location)
        return ledger.heard(execution.run_id, job_name, execution.time_ms), records

    def _recorded_job_name(self, run: str) -> str | None:
        recorded = _recorded_run(self._store, run)
        return recorded["job_name"] if recorded else None

    def _add(self, records: Records) -> None:
        for table, rows in self.by_table.items():
            new = getattr(records, table)
            key = CONTENT_NAMED.get(table)
            if key is not None:
                names = {getattr(row, key) for row in new}
                new = [row for row in new if getattr(row, key) not in self._named[table]]
                self._named[table] |= names
            rows.extend(new)


def _check(by_table: Mapping[str, Sequence[Any]]) -> None:
    for table, rows in by_table.items():
        arrow_of(TABLES[table], rows)


def _recorded_run(store: Store, run: str) -> dict[str, Any] | None:
    rows = store.arrow("runs", ["run_id", "job_name", "status"], f"run_id = {literal(run)}").to_pylist()
    return rows[0] if rows else None


def _time(epoch_ms: int) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=epoch_ms) if epoch_ms else None


def main(arguments: list[str] | None = None) -> int:
    """The child beside a driver: ``python -m spark_lineage.ingest --inbox I --store S --follow RUN --driver-pid N``.

    Without ``--follow`` it takes what there is. Of low priority; logs to ``logs/<run>.log`` in the inbox. Gives 0, or 2 where
    documents are left that could not be ingested.
    """
    import argparse

    parser = argparse.ArgumentParser(prog="python -m spark_lineage.ingest", description=(main.__doc__ or "").splitlines()[0])
    parser.add_argument("--inbox", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--follow", metavar="RUN")
    parser.add_argument("--driver-pid", type=int)
    parser.add_argument("--poll-seconds", type=float, default=0.2)
    parser.add_argument("--executables-store", default="")
    parser.add_argument("--executables-key", default="")
    parser.add_argument("--snapshots", default="off")
    parser.add_argument("--snapshots-max-bytes", type=int, default=0)
    parser.add_argument("--snapshots-allow", action="append", default=[])
    parser.add_argument("--snapshots-deny", action="append", default=[])
    parser.add_argument("--preserve", action="append", default=[])
    parser.add_argument("--preserve-max-bytes", type=int, default=0)
    parser.add_argument("--preserve-folder", default="")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the driver, whose end is seen
    os.nice(10)
    try:
        _log_to(open_inbox(given.inbox, create=True), given.follow or "ingest")
        log.info(
            "following run %s of the driver %s, inbox %s, tables %s", given.follow, given.driver_pid, given.inbox, given.store
        )
        report = ingest(
            given.inbox,
            given.store,
            follow=given.follow,
            driver_pid=given.driver_pid,
            poll_seconds=given.poll_seconds,
            stop=stop,
            executables_store=given.executables_store,
            executables_key=given.executables_key,
            snapshots=Policy(
                given.snapshots, Limits(tuple(given.snapshots_allow), tuple(given.snapshots_deny)), given.snapshots_max_bytes
            ),
            preserve=Preserving(tuple(given.preserve), given.preserve_max_bytes, given.preserve_folder),
        )
    except (LineageError, OSError) as error:
        log.error("gave up: %s (run `spark-lineage ingest` once this is mended; nothing is lost)", error)
        return 2
    except Exception:
        log.exception("a defect; run `spark-lineage ingest` to bring in what is left")
        return 2
    used = os.times()
    log.info("over: %s (%.2f s of CPU)", report, used.user + used.system)
    return 0


def _log_to(inbox: InboxFolder, run: str) -> None:
    """Logs to a file in the inbox, a megabyte at most and one older file, for those for whom the inbox is."""
    from logging.handlers import RotatingFileHandler

    folder = Path(inbox.location) / "logs"
    shared = is_shared(folder.parent)

    class Private(RotatingFileHandler):
        def _open(self) -> TextIOWrapper:
            file = Path(self.baseFilename)
            if not file.exists():
                file.touch(mode=0o600)
                file.chmod(0o660 if shared else 0o600)
            return super()._open()

    make_folder(folder, shared=shared)
    logging.raiseExceptions = False
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s",
        handlers=[Private(folder / f"{run}.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)],
    )


if __name__ == "__main__":
    sys.exit(main())
