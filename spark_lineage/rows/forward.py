"""From rows of a dataset to the rows that were made of them: execution by execution that read it, and on from there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StructType

from ..errors import LineageError, NotFound, QueryError, SnapshotError, TraceError
from ..lineage.naming import DatasetKey, exact_place, place_asked
from ..lineage.naming import place_of as folder_of
from ..model import ExecutableLeaf
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..replay.executables import find, restore
from ..replay.outputs import MODES, NO_QUERY
from ..replay.plans import Plan
from ..snapshot.delta import absolute
from ..snapshot.spark import quoted
from ..snapshot.taking import place_of
from ..snapshot.with_spark import metadata_of
from ..store.tables import Store
from .contributing import Contributed, contributed, matched
from .equality import equal, is_comparable
from .hops import Options, Told, values_of, version_of
from .identity import MEANT, PREFIX, identified, in_session
from .labels import cut, doubts, labelled, less, not_there
from .lifetimes import Lifetime, Log
from .listings import reads_of
from .local import collected
from .meant import Meant, Sample, sampled
from .origins import plans_for
from .places import in_some
from .readings import Reading, Written, readings
from .taken import only_rearranges
from .tracing import DELTA, check_identity, first_of, source_row, text_of
from .witness import ForwardHop, Source, SourceRow, Target

_IDENTITY = f"{PREFIX}0"

Step = tuple[ForwardHop, Meant | None]


def trace_forward(
    spark: SparkSession,
    store: Store,
    dataset: str,
    where: str,
    version: int | None = None,
    options: Options | None = None,
    told: Told = lambda text: None,
) -> Iterator[ForwardHop]:
    """The hops, breadth first: of each execution that read such rows, what it made of them.

    Raises NotFound, Ambiguous, QueryError for what is asked wrongly; what cannot be followed is told in its hop.
    """
    return _Forward(spark, store, options or Options(), told).hops(dataset, where, version)


class _Forward:
    def __init__(self, spark: SparkSession, store: Store, options: Options, told: Told) -> None:
        self._spark = spark
        self._store = store
        self._options = options
        self._told = told
        self._names = recorded_names(DeltaTables(store.location))
        self._logs: dict[str, Log | SnapshotError] = {}
        self._samples: dict[tuple[int, int | None], Sample] = {}
        self._readings: dict[DatasetKey, list[Reading]] = {}
        self._seen: set[tuple[DatasetKey, int, tuple[object, ...]]] = set()
        self._refused: list[tuple[ForwardHop, QueryError]] = []
        self._passed = 0

    def hops(self, dataset: str, where: str, version: int | None) -> Iterator[ForwardHop]:
        key, location = self._place(dataset)
        first = Meant(key=key, alias=dataset, location=location, depth=1, condition=where, version=version)
        if not any(map(first.is_read_by, self._readings_of(key))):
            which = "" if version is None else f" at version {version}"
            raise NotFound(f"no recorded execution that wrote something read {dataset}{which}")
        waiting = deque([first])
        left: list[ForwardHop] = []
        said = False
        while waiting:
            for hop, following in self._of(waiting.popleft()):
                if hop.execution_id is None and not said:  # what is not followed is told beside what is
                    left.append(hop)
                    continue
                said = True
                yield hop
                if following is not None:
                    waiting.append(following)
            for hop in self._not_asked(said or bool(self._samples)):
                said = True
                yield hop
            if not said:
                more = "".join(f"; {hop.ended}" for hop in left)
                if self._passed:
                    more += f"; {self._passed} {'execution' if self._passed == 1 else 'executions'} only rearranged its rows (OPTIMIZE)"
                raise NotFound(f"no version of {dataset} that a followed execution read has a row with {where}{more}")
            yield from left
            left.clear()

    def _not_asked(self, others: bool) -> Iterator[ForwardHop]:
        """The versions of which the condition could not be asked, where it could be of others."""
        for hop, error in self._refused:
            if not others:
                raise error
            yield replace(hop, ended=str(error))
        self._refused.clear()

    def _place(self, dataset: str) -> tuple[DatasetKey, str | None]:
        try:
            return place_of(self._store, dataset)
        except SnapshotError:  # it is recorded without a place: a table behind JDBC, say
            return self._names.dataset(dataset), None

    def _log(self, location: str) -> Log:
        """Raises SnapshotError."""
        if location not in self._logs:
            try:
                self._logs[location] = Log(location)
            except SnapshotError as error:
                self._logs[location] = error
        log = self._logs[location]
        if isinstance(log, SnapshotError):
            raise log
        return log

    def _readings_of(self, key: DatasetKey) -> list[Reading]:
        if key not in self._readings:
            self._readings[key] = readings(self._store, key)
        return self._readings[key]

    def _location(self, key: DatasetKey) -> str | None:
        known = self._names.known.get(key)
        return known.location if known is not None else None

    def _of(self, meant: Meant) -> Iterator[Step]:
        """What each execution made of the rows; then how many there are that are not followed."""
        earlier: dict[DatasetKey, list[Written]] = {}
        followed = left = 0
        for reading in self._readings_of(meant.key):
            if not meant.is_read_by(reading):
                continue
            for output in reading.outputs:
                if self._rearranged(meant, output):
                    self._passed += output.key == meant.key
                    continue
                if not self._is_followed(output, meant.depth):
                    earlier.setdefault(output.key, []).append(output)
                elif followed == self._options.executions:
                    left += 1
                else:
                    followed += 1
                    yield from self._through(meant, reading, output)
        for outputs in earlier.values():
            what = f"{len(outputs)} earlier {'execution' if len(outputs) == 1 else 'executions'}"
            ended = f"{what} that read it wrote what the newest version has no more: --history follows what was made then"
            target = replace(self._target(outputs[0]), version=None)
            yield replace(self._asked(meant, None), target=target, ended=ended), None
        if left:
            ended = f"{left} more executions that read it are not followed: --executions follows more than {self._options.executions}"
            yield replace(self._asked(meant, None), ended=ended), None

    def _rearranged(self, meant: Meant, output: Written) -> bool:
        """Whether a commit has rows of the table again that were there: of a query only where it read them there, not from another table."""
        location = self._location(output.key)
        if location is None or not output.version or (output.key != meant.key and output.mode in MODES):
            return False
        try:
            return only_rearranges(self._log(location).delta, output.version)
        except SnapshotError:
            return False

    def _lifetime(self, output: Written) -> Lifetime | None:
        """None where it cannot be told. Raises SnapshotError."""
        location = self._location(output.key)
        if output.version is None or location is None:
            return None
        return self._log(location).lifetime(output.version)

    def _is_followed(self, output: Written, depth: int) -> bool:
        """Whether what was written is there still, or was read on while it was, and that is asked for."""
        if self._options.history:
            return True
        try:
            lifetime = self._lifetime(output)
        except SnapshotError:
            return True
        if lifetime is None or lifetime.until is None:
            return True
        log = self._log(str(self._location(output.key)))
        if lifetime.written < log.delta.first or _is_other(log, lifetime.written, output.table_id):
            return True  # why nothing can be said of it is told in its hop
        if depth == self._options.depth:
            return False
        read_on = Meant(
            key=output.key, alias=None, location=None, depth=depth + 1, table_id=output.table_id, lifetime=lifetime, log=log
        )  # fmt: skip
        return any(map(read_on.is_read_by, self._readings_of(output.key)))

    def _asked(self, meant: Meant, reading: Reading | None) -> ForwardHop:
        source = Source(
            namespace=meant.key[0], name=meant.key[1], alias=meant.alias, location=meant.location,
            table_id=reading.table_id if reading else meant.table_id, version=reading.version if reading else None, rows=(), count=0,
        )  # fmt: skip
        if reading is None:
            return ForwardHop(depth=meant.depth, source=source)
        return ForwardHop(
            depth=meant.depth, source=source, execution_id=reading.execution_id, run_id=reading.run_id, job_name=reading.job_name,
            operation=reading.operation,
        )  # fmt: skip

    def _target(self, output: Written) -> Target:
        return Target(
            namespace=output.key[0], name=output.key[1], alias=output.alias, location=self._location(output.key),
            table_id=output.table_id, version=output.version,
        )  # fmt: skip

    def _through(self, meant: Meant, reading: Reading, output: Written) -> Iterator[Step]:
        """One hop for each plan of the execution that wrote there; none where no row was read that is meant."""
        hop = replace(self._asked(meant, reading), target=self._target(output))
        self._told(
            f"{meant.name} version {reading.version}: {reading.job_name or reading.execution_id} wrote {output.alias or output.key[1]}"
        )
        try:
            if reading.operation in NO_QUERY and output.version is not None:
                step = self._taken_over(meant, reading, output, hop)
                if step is not None:
                    yield step
                return
            if meant.lifetime is not None and reading.version is None:
                raise TraceError(
                    f"which version of {meant.name} it read is not known: nothing tells whether the rows were there"
                )
            of_table = reading.table_id is not None and reading.version is not None and meant.location is not None
            if of_table and not reading.is_batch:
                hop = self._with_sample(hop, self._sample(meant, reading))
                if not hop.source.count and meant.lifetime is not None:
                    yield replace(hop, ended=not_there(meant, reading, hop)), None
                    return
                if not hop.source.count and reading.is_exact:
                    return
            found = find(
                self._store.location, reading.execution_id, executables=self._options.executables, key=self._options.key
            )
            for plan in plans_for(self._store, found, output.key[1], self._options.executables, self._options.key):
                step = self._part(meant, reading, output, plan, hop)
                if step is not None:
                    yield step
        except QueryError as error:
            self._refused.append((hop, error))
        except (LineageError, PySparkException, Py4JJavaError) as error:
            yield replace(hop, ended=text_of(error)), None

    def _with_sample(self, hop: ForwardHop, sample: Sample) -> ForwardHop:
        rows, count = sample
        return replace(hop, source=replace(hop.source, rows=rows, count=count))

    def _sample(self, meant: Meant, reading: Reading) -> Sample:
        """The rows of a version of a table that are meant. Raises TraceError where it is not there any more."""
        location, version = str(meant.location), reading.version
        assert version is not None
        key = (meant.number, version)
        if key not in self._samples:
            log = self._log(location)
            if _is_other(log, version, reading.table_id):
                raise TraceError(
                    f"{location} is another table now (not {reading.table_id}): what was read is gone with the old one"
                )
            frame, _ = version_of(self._spark, location, version)
            self._samples[key] = sampled(meant.said(frame.drop(_IDENTITY), 0, version), 0, self._options.limit)
        return self._samples[key]

    def _part(self, meant: Meant, reading: Reading, output: Written, asked: Plan, hop: ForwardHop) -> Step | None:
        """What one plan made of the rows."""
        found = asked.found
        leaves = found.executable.leaves
        mine = _leaves_of(leaves, meant, reading)
        if not mine:
            raise TraceError(
                f"the plan of {reading.execution_id} names {meant.name} otherwise: which of its leaves reads it is not known"
            )
        samples: dict[int, Sample] = {}

        def rows_of(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
            check_identity(leaf)
            number = first_of(leaf, leaves)
            if number not in mine:
                return identified(rows, number)
            said = meant.said(in_session(rows, self._spark), number, reading.version)
            if not hop.source.count and number not in samples:
                samples[number] = sampled(said, number, self._options.limit)
            return said

        plan = restore(self._spark, found, part=asked.part, leaf_rows=rows_of, gives=asked.gives)
        if samples:
            rows = tuple(row for sample, _ in samples.values() for row in sample)
            hop = self._with_sample(hop, (rows[: self._options.limit], sum(count for _, count in samples.values())))
            # of a batch it is no sample of the version, which other executions may have read
            self._samples.setdefault((meant.number, None if reading.is_batch else reading.version), ((), hop.source.count))
            if not hop.source.count:
                unsure = doubts(self._spark, self._store, found, mine)
                return (replace(hop, ended="; ".join(("no row fits in what is there now", *unsure))), None) if unsure else None
        with contributed(plan) as came:
            unsure = doubts(self._spark, self._store, found)
            hop = labelled(replace(hop, queries=came.queries), meant, reading, came, [*unsure, *asked.lacking], asked.reasons)
            if came.rows is None:
                return None if asked.gives == "changed" else (hop, None)
            if output.version is None:
                return self._given(hop, came.rows, came.count), None
            return self._written(hop, output, came.rows, came.count)

    def _given(self, hop: ForwardHop, rows: DataFrame, count: int | None) -> ForwardHop:
        """Of what is not a Delta table: the rows that the plan gives."""
        assert hop.target is not None
        limit = self._options.limit
        shown = collected(rows.limit(limit))
        count = rows.count() if count is None else count
        told = tuple(SourceRow(kind="values", values=row.asDict()) for row in shown)
        ended = "it has no versions: the rows are those that the plan gives, whether they are there is not looked for, and they are not followed"
        return cut(replace(hop, target=replace(hop.target, rows=told, count=count), ended=ended))

    def _written(self, hop: ForwardHop, output: Written, rows: DataFrame, count: int | None) -> Step:
        """The rows of the version that was written which are equal to those that the plan gives."""
        assert hop.target is not None
        assert output.version is not None
        log, written = self._written_log(output), output.version
        lifetime = log.lifetime(written)
        frame, _ = version_of(rows.sparkSession, log.location, written)
        new = in_some(frame, f"{_IDENTITY}.file", log.files(written, {written}), log.files(written))
        found = matched(rows, count, new, metadata_of(frame, log.location)[1])
        order = [F.col(f"{_IDENTITY}.file"), F.col(f"{_IDENTITY}.position")]
        shown = collected(found.rows.orderBy(*order).limit(self._options.limit)) if found.count else []
        target = replace(
            hop.target, rows=tuple(source_row(row[_IDENTITY], values_of(row)) for row in shown), count=found.count,
            newest=log.newest, remaining=self._remaining(log, lifetime, frame, found.rows, found.count),
        )  # fmt: skip
        hop = replace(hop, target=target, queries=hop.queries + 2)
        if found.more:
            why = f"{found.more} more rows of version {written} equal these: which of them were made of rows that are meant cannot be told"
            hop = less(hop, "superset", why)
        if found.missing:
            why = f"{found.missing} rows that the plan gives are not in version {written}: it gives other rows now, or the write changed them"
            hop = less(hop, "partial", why)
        if written == log.delta.first and written > 0:
            hop = less(
                hop,
                "superset",
                f"the log begins with version {written}: rows of earlier ones cannot be told from those that it wrote",
            )
        hop = cut(hop)
        if hop.depth >= self._options.depth or not shown:
            return hop, None
        return hop, self._next(hop, output, log, lifetime, tuple(shown), StructType(frame.schema.fields[:-1]))

    def _written_log(self, output: Written) -> Log:
        """That of the table which was written. Raises TraceError where it no longer tells what was, and SnapshotError."""
        location, written = self._location(output.key), output.version
        assert written is not None
        if location is None:
            raise TraceError(
                f"{output.alias or output.key[1]} is recorded without a place where it lies: there is nothing to read"
            )
        log = self._log(location)
        if _is_other(log, written, output.table_id):
            raise TraceError(
                f"{location} is another table now (not {output.table_id}): what was written is gone with the old one"
            )
        if written < log.delta.first:
            raise TraceError(
                f"the log of {location} begins with version {log.delta.first}: it no longer tells what version {written} wrote"
            )
        return log

    def _taken_over(self, meant: Meant, reading: Reading, output: Written, hop: ForwardHop) -> Step | None:
        """What CLONE, CONVERT TO DELTA and RESTORE took over with its files: all rows of the version that are meant."""
        assert output.version is not None
        log, written, within = self._written_log(output), output.version, output.key == meant.key
        of = written if within else reading.version
        if meant.lifetime is not None and of is None:
            raise TraceError(
                f"which version of {meant.name} it took over is not known: nothing tells whether the rows were there"
            )
        frame, _ = version_of(self._spark, log.location, written)
        said = meant.said(frame.drop(_IDENTITY), 0, of)
        found = said.where(f"{_IDENTITY}.{MEANT}")
        order = [F.col(f"{_IDENTITY}.file"), F.col(f"{_IDENTITY}.position")]
        shown = tuple(collected(found.orderBy(*order).limit(self._options.limit + 1)))
        count = len(shown) if len(shown) <= self._options.limit else found.count()
        shown = shown[: self._options.limit]
        hop = self._with_sample(hop, (tuple(source_row(row[_IDENTITY], values_of(row)) for row in shown), count))
        if not count:
            is_known = meant.lifetime is not None and not within
            return (replace(hop, ended=not_there(meant, reading, hop)), None) if is_known else None
        lifetime = log.lifetime(written)
        target = replace(
            self._target(output), rows=hop.source.rows, count=count, newest=log.newest,
            remaining=self._remaining(log, lifetime, said, found, count),
        )  # fmt: skip
        came = Contributed(found, count, kinds=(), wholes=(), queries=2, deterministic=True)
        hop = cut(labelled(replace(hop, target=target, queries=2), meant, replace(reading, version=of), came, (), ()))
        if hop.depth >= self._options.depth or (
            within and meant.version is None
        ):  # its own readers are asked as those of what is meant
            return hop, None
        return hop, self._next(hop, output, log, lifetime, shown, StructType(frame.schema.fields[:-1]))

    def _remaining(self, log: Log, lifetime: Lifetime, frame: DataFrame, rows: DataFrame, count: int) -> int | None:
        """How many of the rows the newest version has: in files of then, or rewritten with equal values."""
        if lifetime.until is not None or not count:
            return 0
        if log.newest == lifetime.written:
            return count
        try:
            newest, _ = version_of(rows.sparkSession, log.location, log.newest)
        except TraceError:
            return None
        fields = [field for field in frame.schema.fields[:-1] if is_comparable(field.dataType)]
        names = [
            field.name
            for field in fields
            if field.name in newest.columns and newest.schema[field.name].dataType == field.dataType
        ]
        if not names:
            return None
        left = in_some(newest, f"{_IDENTITY}.file", log.files(log.newest, lifetime.carriers), log.files(log.newest))
        same = F.lit(True)
        for name in names:
            now, then = F.col(f"new.{quoted(name)}"), F.col(f"old.{quoted(name)}")
            same = same & equal(now, newest.schema[name].dataType, then, frame.schema[name].dataType, near=False)
        return left.alias("new").join(rows.alias("old"), same, "left_semi").count()

    def _next(
        self, hop: ForwardHop, output: Written, log: Log, lifetime: Lifetime, rows: tuple[Row, ...], schema: StructType
    ) -> Meant | None:
        assert hop.target is not None
        new = tuple(row for row in rows if (output.key, lifetime.written, tuple(row[_IDENTITY])) not in self._seen)
        self._seen |= {(output.key, lifetime.written, tuple(row[_IDENTITY])) for row in new}
        if not new:
            return None
        left = None
        if len(rows) < hop.target.count:
            left = f"{len(rows)} of the {hop.target.count} rows that were found are followed: --limit follows more"
        return Meant(
            key=output.key, alias=output.alias, location=hop.target.location, depth=hop.depth + 1, table_id=output.table_id, rows=new,
            schema=schema, lifetime=lifetime, log=log, left=left,
        )  # fmt: skip


def _is_other(log: Log, version: int, table_id: str | None) -> bool:
    """Whether a version is of another table than the one that is known to have been there."""
    return version > log.newest or (table_id is not None and log.delta.table_id_of(version) != table_id)


def _leaves_of(leaves: tuple[ExecutableLeaf, ...], meant: Meant, reading: Reading) -> set[int]:
    """The numbers of the leaves that read that version of the dataset."""

    def reads(leaf: ExecutableLeaf) -> bool:
        if leaf.kind in DELTA and reading.version is not None and leaf.delta_version != reading.version:
            return False
        paths = [absolute(path) for path in (leaf.location, *leaf.paths) if path]
        known = {place(path).key for path in paths for place in (exact_place, folder_of, place_asked)}
        of_table = reading.table_id is not None and leaf.table_id == reading.table_id
        return meant.key in known or of_table or (leaf.name is not None and leaf.name == reading.alias)

    found = {first_of(leaf, leaves) for leaf in leaves if reads(leaf)}
    if not found and reading.is_batch:
        found = {first_of(leaf, leaves) for leaf in leaves if reads_of(leaf, meant.key)}
    others = {first_of(leaf, leaves) for leaf in leaves if leaf.kind in ("jdbc", "table")}
    return found or (others if len(others) == 1 and reading.table_id is None else set())
