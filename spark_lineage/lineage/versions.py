"""Which version of each dataset an execution read and wrote: inputs and outputs.

What was read is what the physical plan scanned; what was written is what Delta committed. Where neither says, the plan's own
word is taken and marked as inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from ..model import Input, Observed, Output, SampleColumn, Schema, VersionBasis
from ..plan.document import Commit, ExecutionDocument, Scan, Stream, Write
from ..plan.values import Field
from .datasets import DatasetRef, Naming, Reading, short_format
from .models import FORMAT as MODEL
from .models import Models
from .naming import DatasetKey, Place, exact_place, place_of, places_of
from .schema import schema_of
from .streams import Streamed, sink_offsets, streamed_of
from .walk import Written


@dataclass(frozen=True, slots=True)
class Touched:
    """A dataset that an execution read or wrote, with what was learnt of it on the way."""

    dataset: DatasetRef
    table_id: str | None = None
    schema: Schema | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset that was read, with the metrics of the scans that read it."""

    delta_version: int | None = None
    fingerprint: str | None = None
    basis: VersionBasis = "exact"
    scans: tuple[Scan, ...] = ()
    committed_ms: int | None = None
    streamed: Streamed | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the physical side of a document says, by dataset."""

    scans: Mapping[DatasetKey, tuple[Scan, ...]] = field(default_factory=dict)
    commits: Mapping[DatasetKey, tuple[Commit, ...]] = field(default_factory=dict)
    writes: Mapping[DatasetKey, tuple[Write, ...]] = field(default_factory=dict)
    streamed: Mapping[DatasetKey, Streamed] = field(default_factory=dict)
    stream: Stream | None = None
    placeless: tuple[Write, ...] = ()
    """Writes to tables that tell a name and no path."""
    observed: tuple[Observed, ...] = ()
    sample_columns: tuple[SampleColumn, ...] = ()

    @staticmethod
    def of(document: ExecutionDocument, readings: Sequence[Reading], models: Models) -> Facts:
        """Scans go to the reading that they belong to; what is a model's part goes to the model."""
        known = {reading.dataset.key for reading in readings}
        columns: dict[int, dict[DatasetKey, None]] = {}
        for reading in readings:
            for item in reading.output:
                columns.setdefault(item, {})[reading.dataset.key] = None
        names = {alias: reading.dataset.key for reading in readings for alias in reading.dataset.aliases}
        scans: dict[DatasetKey, list[Scan]] = {}
        compacted = {(exact_place(one.path).key, one.version_before) for one in _compactions(document)}
        for scan in document.scans:
            for key, one in _scanned(scan, known, columns, names, models):
                if (key, one.delta_version) not in compacted:
                    scans.setdefault(key, []).append(one)
        commits: dict[DatasetKey, tuple[Commit, ...]] = {}
        for commit in document.commits:
            key = _model_or_self(exact_place(commit.path).key, models)
            commits[key] = (*commits.get(key, ()), commit)
        writes: dict[DatasetKey, tuple[Write, ...]] = {}
        for write in document.writes:
            if write.path:
                key = _model_or_self(place_of(write.path).key, models)
                writes[key] = (*writes.get(key, ()), write)
        streamed = streamed_of(document.stream, readings)
        placeless = tuple(write for write in document.writes if not write.path)
        grouped = {key: tuple(group) for key, group in scans.items()}
        return Facts(grouped, commits, writes, streamed, document.stream, placeless, document.observed, document.sample_columns)

    def writes_of(self, target: DatasetRef, alone: bool) -> tuple[Write, ...]:
        """The physical writes to a dataset; those that tell no path go by name, or to the only target there is."""
        found = self.writes.get(target.key, ())
        return found or tuple(one for one in self.placeless if alone or one.table in target.aliases)


def _compactions(document: ExecutionDocument) -> Iterable[Commit]:
    """Delta's automatic compactions of what the execution has just written: what they read was no input of it."""
    root = document.analyzed.nodes[document.analyzed.root].kind if document.analyzed else ""
    return () if root == "OptimizeTableCommand" else (one for one in document.commits if one.operation == "OPTIMIZE")


def hints_of(document: ExecutionDocument) -> tuple[DatasetRef, ...]:
    """The datasets that commits and physical writes say were written."""
    naming = Naming()
    found: dict[DatasetKey, DatasetRef] = {}
    for path, file_format in (
        *((commit.path, "delta") for commit in document.commits),
        *((write.path, write.format) for write in document.writes if write.path),
    ):
        dataset = naming.of_path(path, file_format)
        found.setdefault(dataset.key, dataset)
    return tuple(found.values())


def inputs_of(
    heading: Mapping[str, Any], readings: Iterable[Reading], written: Iterable[Written], facts: Facts
) -> tuple[tuple[Input, ...], tuple[Touched, ...]]:
    """An input for each version of each dataset that was read, and the datasets."""
    rewritten = {write.target.key for write in written if write.rewrites}
    inputs: list[Input] = []
    touched: list[Touched] = []
    for key, group in _by_dataset(readings).items():
        reading = group[0]
        widest: tuple[Field, ...] = max((one.fields for one in group), key=len)
        schema = schema_of(widest)
        for version in _versions_read(key, group, facts, key in rewritten):
            table_id = reading.dataset.table_id or next((scan.table_id for scan in version.scans if scan.table_id), None)
            inputs.append(_input(heading, reading, version, table_id, schema))
            touched.append(Touched(reading.dataset, table_id, schema))
    return tuple(inputs), tuple(touched)


def outputs_of(
    heading: Mapping[str, Any], written: Sequence[Written], facts: Facts
) -> tuple[tuple[Output, ...], tuple[Touched, ...]]:
    """An output for each commit of each dataset that was written, one where there was none, and the datasets."""
    outputs: list[Output] = []
    touched: list[Touched] = []
    groups = _by_target(written)
    for key, group in groups.items():
        physical = facts.writes_of(group[0].target, alone=len(groups) == 1)
        commits: tuple[Commit | None, ...] = facts.commits.get(key) or (None,)
        for write, commit in _committing(group, commits):
            schema = schema_of(write.fields)
            table_id = commit.table_id if commit else write.target.table_id
            output = _output(heading, write, commit, physical, table_id, schema)
            outputs.append(replace(output, offsets=sink_offsets(facts.stream)))
            touched.append(Touched(write.target, table_id, schema))
    return _of_stream(_chosen(_observed(outputs, facts), facts), facts.stream), tuple(touched)


def _committing(group: Sequence[Written], commits: Sequence[Commit | None]) -> Iterable[tuple[Written, Commit | None]]:
    """Commits with the writes that made them: in their order, but for writes that cannot have made such a commit, and made none then, as one that
    changes no row."""
    at = -1
    for commit in commits:
        at = min(at + 1, len(group) - 1)
        at = next((place for place in range(at, len(group)) if commit is None or _may_make(group[place], commit)), at)
        yield group[at], commit


_IN_PLACES: Final = ("merge", "update", "delete")


def _may_make(write: Written, commit: Commit) -> bool:
    operation = (commit.operation or "").lower()
    if operation in _IN_PLACES:
        return write.mode == operation
    return operation not in _WRITES or not (write.mode in _IN_PLACES or write.operation == "create table")


_WRITES: Final = ("write", "streaming update")
"""Operations of Delta's log that add rows of a query, to a table that is there or not."""


def _observed(outputs: list[Output], facts: Facts) -> list[Output]:
    """With what was summed in the one write of an execution that made one commit: of several it is not told which is whose."""
    committed = [at for at, output in enumerate(outputs) if output.delta_version is not None]
    if len(committed) != 1 or len(facts.observed) != 1 or sum(len(commits) for commits in facts.commits.values()) != 1:
        return outputs
    (at,), (one,) = committed, facts.observed
    summed = replace(outputs[at], observed_rows=one.rows, observed_checksum=one.checksum, observed_classes=one.classes)
    return [*outputs[:at], summed, *outputs[at + 1 :]]


def _chosen(outputs: list[Output], facts: Facts) -> list[Output]:
    """With the columns that rows were given by which a sample knows them: those of its place, or of the one write that there is."""
    committed = [output for output in outputs if output.delta_version is not None]
    told = {exact_place(one.path).key: one for one in facts.sample_columns if one.path is not None}
    alone = facts.sample_columns[0] if len(committed) == len(facts.sample_columns) == 1 else None
    result = []
    for output in outputs:
        one = told.get((output.namespace, output.name), alone) if output.delta_version is not None else None
        if one is not None:
            output = replace(output, sample_column=one.name, sample_fraction=one.fraction, sample_key=one.key)
        result.append(output)
    return result


def _of_stream(outputs: Sequence[Output], stream: Stream | None) -> tuple[Output, ...]:
    """Of several batches, one output for each table: up to the last version, with all their rows. The rows of a sink that has
    no other figures are those that the stream tells."""
    if stream is None:
        return tuple(outputs)
    if len(outputs) == 1 and outputs[0].rows_written is None:
        return (replace(outputs[0], rows_written=stream.sink_rows),)
    if stream.batches == 1:
        return tuple(outputs)
    merged: dict[tuple[str, str, str | None], Output] = {}
    for output in outputs:
        key = (output.namespace, output.name, output.table_id)
        merged[key] = _both(merged[key], output) if key in merged else output
    return tuple(merged.values())


def _both(before: Output, after: Output) -> Output:
    return replace(
        after,
        delta_version_before=before.delta_version_before,
        rows_written=_sum((before.rows_written, after.rows_written)),
        rows_deleted=_sum((before.rows_deleted, after.rows_deleted)),
        bytes_written=_sum((before.bytes_written, after.bytes_written)),
        files_written=_sum((before.files_written, after.files_written)),
    )


def unclaimed_scans(facts: Facts, readings: Iterable[Reading], known: Iterable[Reading] = ()) -> tuple[Reading, ...]:
    """Datasets that were scanned and that no leaf below a query reads: below an RDD, when the plan was given up, and the target of
    a partial overwrite, whose rows are looked at. `known`: leaves that are not below a query, for their names."""
    taken = {reading.dataset.key for reading in readings}
    leaves = {reading.dataset.key: reading for reading in known}
    found: dict[DatasetKey, Reading] = {}
    for key, scans in facts.scans.items():
        if key not in taken and key in leaves:
            found[key] = leaves[key]
        elif key not in taken:
            scan = scans[0]
            location = scan.paths[0] if scan.paths else None
            dataset = DatasetRef(Place(*key), format=short_format(scan.format), location=location, table_id=scan.table_id)
            found[key] = Reading(dataset)
    return tuple(found.values())


def moment(milliseconds: int) -> datetime:
    """Epoch milliseconds as a UTC time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _scanned(
    scan: Scan,
    known: set[DatasetKey],
    columns: Mapping[int, Mapping[DatasetKey, None]],
    names: Mapping[str, DatasetKey],
    models: Models,
) -> tuple[tuple[DatasetKey, Scan], ...]:
    """The datasets that a scan reads: by its paths, by its columns where it has none (JDBC and others).

    Of a model's parts, only its metadata tells one saved model from the next.
    """
    if not scan.paths:
        if scan.class_name in _OF_STREAMS and not any(item in columns for item in scan.output):
            return ()
        owners = next((tuple(columns[item]) for item in scan.output if item in columns), ()) or _by_options(scan, known)
        if owners:
            # The rows of a query over several tables are of none of them.
            one = scan if len(owners) == 1 else replace(scan, rows=None, bytes=None)
            return tuple((owner, one) for owner in owners)
        if scan.name is not None and scan.name in names:
            return ((names[scan.name], scan),)
        return (((scan.format or "unknown", scan.name), scan),) if scan.name else ()
    found: dict[DatasetKey, Scan] = {}
    delta = scan.format == "delta" or scan.delta_version is not None
    for place in map(exact_place, scan.paths) if delta else places_of(scan.paths, scan.folders):
        if place.key in models.folds:
            model = models.folds[place.key]
            head = scan.fingerprint.partition(":")[2] if scan.fingerprint and place.key in models.heads else None
            fingerprint = model.partition or (f"model:{head}" if head else None)
            found[model.key] = replace(scan, fingerprint=fingerprint)
        else:
            found[_known_root(place.key, known)] = scan
    return tuple(found.items())


def _by_options(scan: Scan, known: set[DatasetKey]) -> tuple[DatasetKey, ...]:
    """The datasets that a scan's own options tell: where a database counts or sums, its columns are new ones."""
    if not scan.options:
        return ()
    return tuple(
        dataset.key for dataset in Naming().of_source(scan.options, scan.format or scan.class_name) if dataset.key in known
    )


def _known_root(key: DatasetKey, known: set[DatasetKey]) -> DatasetKey:
    """The dataset among those read that a scanned place lies in: a reader may have been given a glob."""
    namespace, name = key
    while (namespace, name) not in known:
        name = name.rpartition("/")[0]
        if not name:
            return key
    return namespace, name


def _model_or_self(key: DatasetKey, models: Models) -> DatasetKey:
    return models.folds[key].key if key in models.folds else key


def _by_dataset(readings: Iterable[Reading]) -> dict[DatasetKey, list[Reading]]:
    groups: dict[DatasetKey, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.dataset.key, []).append(reading)
    return groups


def _by_target(written: Iterable[Written]) -> dict[DatasetKey, list[Written]]:
    groups: dict[DatasetKey, list[Written]] = {}
    for write in written:
        groups.setdefault(write.target.key, []).append(write)
    return groups


def _versions_read(key: DatasetKey, group: list[Reading], facts: Facts, rewritten: bool) -> tuple[Version, ...]:
    scans = facts.scans.get(key, ())
    if key in facts.streamed:
        return (_of_offsets(facts.streamed[key], scans),)
    seen = {(scan.delta_version, scan.fingerprint): None for scan in scans}
    if seen:
        return tuple(_of_scans(version, fingerprint, scans) for version, fingerprint in seen)
    if rewritten and facts.commits.get(key):
        commit = facts.commits[key][0]
        return (Version(commit.version_before, basis=commit.basis),)
    told = {(one.version_at_analysis, one.time_travel): None for one in group}
    return tuple(Version(version, basis="exact" if travel else "inferred") for version, travel in told)


def _of_offsets(streamed: Streamed, scans: tuple[Scan, ...]) -> Version:
    """What a stream read of a source: as far as its offsets say, whatever the table had by then."""
    listings = tuple({scan.fingerprint: None for scan in scans})
    committed = None
    if streamed.delta_version is not None:
        committed = next((scan.committed_ms for scan in scans if scan.delta_version == streamed.delta_version), None)
    fingerprint = listings[0] if len(listings) == 1 else None
    return Version(streamed.delta_version, fingerprint, "exact" if streamed.exact else "inferred", scans, committed, streamed)


def _of_scans(delta_version: int | None, fingerprint: str | None, scans: Iterable[Scan]) -> Version:
    mine = tuple(scan for scan in scans if (scan.delta_version, scan.fingerprint) == (delta_version, fingerprint))
    basis: VersionBasis = "inferred" if any(scan.version_basis == "inferred" for scan in mine) else "exact"
    if delta_version is None and fingerprint is None:
        basis = "inferred"
    committed = next((scan.committed_ms for scan in mine if scan.committed_ms is not None), None)
    return Version(delta_version, fingerprint, basis, mine, committed)


def _input(
    heading: Mapping[str, Any], reading: Reading, version: Version, table_id: str | None, schema: Schema | None
) -> Input:
    scans = version.scans
    return Input(
        **heading,
        namespace=reading.dataset.key[0],
        name=reading.dataset.key[1],
        alias=reading.dataset.alias,
        table_id=table_id,
        delta_version=version.delta_version,
        committed_at=None if version.committed_ms is None else moment(version.committed_ms),
        fingerprint=version.fingerprint or reading.dataset.place.partition,
        offsets=version.streamed.offsets if version.streamed else None,
        version_basis=version.basis,
        schema_hash=schema.schema_hash if schema else None,
        scans=len(scans) or None,
        rows_read=_rows_read(version),
        bytes_read=_sum(scan.bytes for scan in scans),
        files_read=_sum(scan.files for scan in scans),
        columns_read=tuple(dict.fromkeys(column for scan in scans for column in scan.columns)) if scans else None,
        predicates=tuple(dict.fromkeys(text for scan in scans for text in scan.filters)) if scans else None,
    )


def _rows_read(version: Version) -> int | None:
    rows = _sum(scan.rows for scan in version.scans)
    streamed = version.streamed
    return streamed.rows if streamed and (streamed.shared or rows is None) else rows


_OF_STREAMS: Final = ("MicroBatchScanExec", "RealTimeStreamScanExec")
"""Scans of a stream's sources, which the plan names: one that no leaf owns counts up numbers."""
_ROWS: Final = {
    "MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated"),
    "UPDATE": ("numUpdatedRows",),
    "DELETE": (),
}
"""Metrics that count the rows a commit put there by its operation, where `numOutputRows` counts rows merely copied too."""
_DELETED: Final = ("numTargetRowsDeleted", "numDeletedRows")
_BYTES: Final = ("numOutputBytes", "numTargetBytesAdded", "numAddedBytes")
_FILES: Final = ("numFiles", "numTargetFilesAdded", "numAddedFiles")


def _output(
    heading: Mapping[str, Any],
    write: Written,
    commit: Commit | None,
    writes: tuple[Write, ...],
    table_id: str | None,
    schema: Schema | None,
) -> Output:
    output = Output(
        **heading,
        namespace=write.target.key[0],
        name=write.target.key[1],
        alias=write.target.alias,
        table_id=table_id,
        fingerprint=_fingerprint(write, writes),
        schema_hash=schema.schema_hash if schema else None,
        write_mode=write.mode,
        rows_written=_sum(one.rows for one in writes),
        bytes_written=_sum(one.bytes for one in writes),
        files_written=_sum(one.files for one in writes),
        sample_mark=write.sample_mark,
    )
    if commit is not None:
        return _committed(replace(output, write_mode=_mode(write, commit)), commit)
    if write.rewrites and not writes and write.target.format in ("delta", None):
        return replace(output, rows_written=0, rows_deleted=0, bytes_written=0, files_written=0)
    return replace(output, version_basis="exact" if output.fingerprint else "inferred")


def _fingerprint(write: Written, writes: tuple[Write, ...]) -> str | None:
    """Of the files written; of a model the folder that tells its version, ``version=2``."""
    partition = write.target.place.partition
    if write.target.format == MODEL:
        return partition
    return next((one.fingerprint for one in writes if one.fingerprint), None) or partition


def _mode(write: Written, commit: Commit) -> str | None:
    """What a commit did to the rows that were there: of an automatic compaction behind a write, nothing."""
    operation = (commit.operation or "").lower()
    compacts = operation == "optimize" and write.operation != "optimize"
    return operation if operation and (write.upkeep or compacts) else write.mode


def _committed(output: Output, commit: Commit) -> Output:
    rows = _rows_of(commit)
    return replace(
        output,
        delta_version=commit.version,
        delta_version_before=commit.version_before,
        committed_at=None if commit.timestamp_ms is None else moment(commit.timestamp_ms),
        fingerprint=commit.fingerprint,
        version_basis=commit.basis,
        rows_written=output.rows_written if rows is None else rows,
        rows_deleted=_first(commit, _DELETED, None),
        bytes_written=_first(commit, _BYTES, output.bytes_written),
        files_written=_first(commit, _FILES, output.files_written),
    )


def _rows_of(commit: Commit) -> int | None:
    names = _ROWS.get((commit.operation or "").upper())
    if names is None:
        written = _number(commit.metrics.get("numOutputRows"))
        return None if written is None else written - (_number(commit.metrics.get("numCopiedRows")) or 0)
    found = [number for name in names if (number := _number(commit.metrics.get(name))) is not None]
    return sum(found) if found or not names else None


def _first(commit: Commit, names: tuple[str, ...], otherwise: int | None) -> int | None:
    return next((number for name in names if (number := _number(commit.metrics.get(name))) is not None), otherwise)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
