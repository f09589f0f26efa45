"""Captured documents, read into frozen records. The format is described in docs/documents.md.

Everything that is wrong with the bytes is a `DocumentError`; what a document merely does not say is None.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ..errors import DocumentError
from ..model import Observed, SampleColumn
from .decode import decode_fields, decode_plan, decode_stated
from .executable import Executable, Leaf, View
from .json_text import loads
from .nodes import Plan
from .values import Field, Stated

FORMAT: Final = 1
"""The latest document format that this release reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """A run begins. `time_ms` and all other times are epoch milliseconds."""

    application_run_id: str
    run_id: str
    sequence: int
    time_ms: int
    application: bool = True
    application_id: str | None = None
    attempt: str | None = None
    job_namespace: str | None = None
    job_name: str | None = None
    parent_run_id: str | None = None
    parent_job_name: str | None = None
    root_run_id: str | None = None
    user_name: str | None = None
    host: str | None = None
    spark_version: str | None = None
    delta_version: str | None = None
    python_version: str | None = None
    tool_version: str | None = None
    entry_point: str | None = None
    arguments: tuple[str, ...] | None = None
    code_repository: str | None = None
    code_commit: str | None = None
    code_dirty: bool | None = None
    code_sha256: str | None = None
    command: tuple[str, ...] | None = None
    working_directory: str | None = None
    spark_confs: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    datasets_allow: tuple[str, ...] = ()
    datasets_deny: tuple[str, ...] = ()
    masking_functions: tuple[str, ...] = ()
    """Names of the user's own functions that show nothing of what they are given."""
    executables_store: str = ""
    """Where this run's executables are to be kept; empty: beside the other tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """A run is over. `dropped` counts the documents that the bridge gave up, by reason."""

    application_run_id: str
    run_id: str
    sequence: int
    time_ms: int
    application: bool = True
    status: Literal["succeeded", "failed"] = "succeeded"
    error: str | None = None
    last_sequence: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """An execution inside another one that writes."""

    sql_id: int | None
    name: str | None
    analyzed: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan of a physical plan. `delta_version` is the version that was really read."""

    class_name: str
    sql_id: int | None = None
    format: str | None = None
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Those of the paths that are known to be folders though they are called like files."""
    delta_version: int | None = None
    table_id: str | None = None
    output: tuple[int, ...] = ()
    fingerprint: str | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    filters: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    name: str | None = None
    committed_ms: int | None = None
    version_basis: Literal["exact", "inferred"] = "exact"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A write of a physical plan, with its metrics."""

    class_name: str
    sql_id: int | None = None
    path: str | None = None
    format: str | None = None
    mode: str | None = None
    table: str | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A Delta commit of the execution. `version_before` is -1 for a new table."""

    path: str
    version: int
    table_id: str | None = None
    version_before: int | None = None
    operation: str | None = None
    fingerprint: str | None = None
    """Of the files that it added and removed."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[Field, ...] = ()
    """The table's schema after the commit, where no plan tells it."""
    generated: Mapping[str, Stated | None] = field(default_factory=dict)
    """What each generated column of the table is computed from; None where that could not be read."""
    defaults: Mapping[str, Stated | None] = field(default_factory=dict)
    """What is put into the columns that have a default."""
    identity: tuple[str, ...] = ()
    """Columns whose values the table counts up."""
    timestamp_ms: int | None = None
    sql_id: int | None = None
    root_sql_id: int | None = None
    basis: Literal["exact", "inferred"] = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProgress:
    """How far a source of a stream was read: from `start` (None: its beginning) to `end`, offsets as the source writes them."""

    description: str | None
    start: str | None = None
    end: str | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The stream that an execution is a micro-batch of, or several in a row: `batches`, from `first_batch_id` on."""

    query_id: str
    run_id: str | None = None
    name: str | None = None
    batch_id: int | None = None
    first_batch_id: int | None = None
    batches: int = 1
    started_ms: int | None = None
    sources: tuple[SourceProgress, ...] = ()
    sink: str | None = None
    sink_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionDocument:
    """One top-level execution with everything that its lineage is derived from."""

    application_run_id: str
    run_id: str
    sequence: int
    time_ms: int
    sql_id: int | None = None
    name: str | None = None
    description: str | None = None
    statement: str | None = None
    call_site: str | None = None
    tags: tuple[str, ...] = ()
    job_group: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    status: Literal["succeeded", "failed"] = "succeeded"
    error_class: str | None = None
    error_message: str | None = None
    confs: Mapping[str, str] = field(default_factory=dict)
    current_catalog: str | None = None
    current_database: str | None = None
    current_namespace: tuple[str, ...] = ()
    executable: Executable | None = None
    analyzed: Plan | None = None
    nested: tuple[Nested, ...] = ()
    scans: tuple[Scan, ...] = ()
    writes: tuple[Write, ...] = ()
    commits: tuple[Commit, ...] = ()
    observed: tuple[Observed, ...] = ()
    sample_columns: tuple[SampleColumn, ...] = ()
    stream: Stream | None = None
    incomplete: tuple[str, ...] = ()
    real_paths: Mapping[str, str] = field(default_factory=dict)
    """Local paths that go through symbolic links, and where they lead."""


Document: TypeAlias = RunStart | ExecutionDocument | RunEnd


def read(data: bytes) -> Document:
    """The document in `data`, gzip-compressed or plain JSON.

    Raises `DocumentError` for bytes that are no whole JSON object, for a `format` later than `FORMAT`, an unknown `kind`,
    a field of the wrong type, and a plan that is cyclic or refers to nodes that are not there.
    """
    raw = _parse(_decompress(data))
    try:
        _check_format(raw)
        reader = _READERS.get(_Reader(raw).text("kind"))
        if reader is None:
            raise DocumentError(f"a document of the unknown kind {raw['kind']!r}; this release knows {', '.join(_READERS)}")
        return reader(_Reader(raw))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise DocumentError(f"the document is malformed: {type(error).__name__}: {error}; see docs/documents.md") from error


def _decompress(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise DocumentError(f"the document is cut short or damaged: {error}; it cannot be read again") from error


def _parse(data: bytes) -> dict[str, Any]:
    try:
        raw = loads(data.decode("utf-8"))
    except ValueError as error:
        raise DocumentError(f"the document is no JSON text: {error}; it is cut short or damaged") from error
    if not isinstance(raw, dict):
        raise DocumentError(f"the document is a JSON {type(raw).__name__}, not an object")
    return raw


def _check_format(raw: dict[str, Any]) -> None:
    number = raw.get("format")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise DocumentError(f"the document has the format {number!r}, which is none")
    if number > FORMAT:
        raise DocumentError(f"the document has the format {number}, this release reads up to {FORMAT}: upgrade spark-lineage")


class _Reader:
    """Typed access to a JSON object: absent and null are alike, a value of another type is an error that names its field."""

    def __init__(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise DocumentError(f"an object was expected and {type(raw).__name__} found")
        self.raw = raw

    def _get(self, name: str, kind: type) -> Any:
        value = self.raw.get(name)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        raise DocumentError(f"{name} is {value!r:.80}, not {kind.__name__}")

    def text_or_none(self, name: str) -> str | None:
        value: str | None = self._get(name, str)
        return value

    def integer_or_none(self, name: str) -> int | None:
        value: int | None = self._get(name, int)
        return value

    def flag_or_none(self, name: str) -> bool | None:
        value: bool | None = self._get(name, bool)
        return value

    def text(self, name: str) -> str:
        value = self.text_or_none(name)
        if value is None:
            raise DocumentError(f"the document has no {name}")
        return value

    def integer(self, name: str) -> int:
        value = self.integer_or_none(name)
        if value is None:
            raise DocumentError(f"the document has no {name}")
        return value

    def list(self, name: str) -> list[Any]:
        return self._get(name, list) or []

    def object(self, name: str) -> dict[str, Any]:
        return self._get(name, dict) or {}

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self.list(name))

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(int(item) for item in self.list(name))

    def map_or_none(self, name: str) -> dict[str, str] | None:
        value = self._get(name, dict)
        return None if value is None else {str(key): str(item) for key, item in value.items() if item is not None}

    def status(self) -> Literal["succeeded", "failed"]:
        return "failed" if self.text_or_none("status") == "failed" else "succeeded"

    def heading(self) -> dict[str, Any]:
        """The fields that every document has."""
        return {
            "application_run_id": self.text("application_run_id"),
            "run_id": self.text("run_id"),
            "sequence": self.integer("sequence"),
            "time_ms": self.integer("time_ms"),
        }


_START_TEXTS: Final = (
    "application_id", "attempt", "job_namespace", "job_name", "parent_run_id", "parent_job_name", "root_run_id", "user_name", "host",
    "spark_version", "delta_version", "python_version", "tool_version", "entry_point", "code_repository", "code_commit", "code_sha256",
    "working_directory",
)  # fmt: skip


def _read_run_start(reader: _Reader) -> RunStart:
    limits = _Reader(reader.raw.get("limits") or {})
    texts: dict[str, Any] = {name: reader.text_or_none(name) for name in _START_TEXTS}
    return RunStart(
        **reader.heading(),
        **texts,
        application=reader.flag_or_none("application") is not False,
        arguments=None if reader.raw.get("arguments") is None else reader.texts("arguments"),
        command=None if reader.raw.get("command") is None else reader.texts("command"),
        code_dirty=reader.flag_or_none("code_dirty"),
        spark_confs=reader.map_or_none("spark_confs"),
        parameters=reader.map_or_none("parameters"),
        labels=reader.map_or_none("labels"),
        datasets_allow=limits.texts("datasets_allow"),
        datasets_deny=limits.texts("datasets_deny"),
        masking_functions=limits.texts("masking_functions"),
        executables_store=limits.text_or_none("executables_store") or "",
    )


def _read_run_end(reader: _Reader) -> RunEnd:
    return RunEnd(
        **reader.heading(),
        application=reader.flag_or_none("application") is not False,
        status=reader.status(),
        error=reader.text_or_none("error"),
        last_sequence=reader.integer_or_none("last_sequence"),
        dropped={reason: int(count) for reason, count in (reader.map_or_none("dropped") or {}).items()},
    )


def _read_execution(reader: _Reader) -> ExecutionDocument:
    analyzed = reader.raw.get("analyzed")
    catalog = _Reader(reader.raw.get("catalog") or {})
    return ExecutionDocument(
        **reader.heading(),
        sql_id=reader.integer_or_none("sql_id"),
        name=reader.text_or_none("name"),
        description=reader.text_or_none("description"),
        statement=reader.text_or_none("statement"),
        call_site=reader.text_or_none("call_site"),
        tags=reader.texts("tags"),
        job_group=reader.text_or_none("job_group"),
        started_ms=reader.integer_or_none("started_ms"),
        ended_ms=reader.integer_or_none("ended_ms"),
        status=reader.status(),
        error_class=reader.text_or_none("error_class"),
        error_message=reader.text_or_none("error_message"),
        confs=reader.map_or_none("confs") or {},
        current_catalog=catalog.text_or_none("catalog"),
        current_database=catalog.text_or_none("database"),
        current_namespace=catalog.texts("namespace"),
        executable=None if reader.raw.get("executable") is None else _read_executable(_Reader(reader.raw["executable"])),
        analyzed=None if analyzed is None else decode_plan(analyzed),
        nested=tuple(_read_nested(_Reader(raw)) for raw in reader.list("nested") if raw.get("analyzed") is not None),
        scans=tuple(_read_scan(_Reader(raw)) for raw in reader.list("scans")),
        writes=tuple(_read_write(_Reader(raw)) for raw in reader.list("writes")),
        commits=tuple(_read_commit(_Reader(raw)) for raw in reader.list("commits")),
        observed=tuple(_read_observed(_Reader(raw)) for raw in reader.list("observed")),
        sample_columns=tuple(_read_sample_column(_Reader(raw)) for raw in reader.list("sample_columns")),
        stream=None if reader.raw.get("stream") is None else _read_stream(_Reader(reader.raw["stream"])),
        incomplete=reader.texts("incomplete"),
        real_paths=reader.map_or_none("real_paths") or {},
    )


def _read_nested(reader: _Reader) -> Nested:
    return Nested(
        sql_id=reader.integer_or_none("sql_id"),
        name=reader.text_or_none("name"),
        analyzed=decode_plan(reader.raw["analyzed"]),
    )


def _read_observed(reader: _Reader) -> Observed:
    return Observed(reader.integer("rows"), reader.text("checksum"), reader.text("classes"))


def _read_sample_column(reader: _Reader) -> SampleColumn:
    return SampleColumn(reader.text_or_none("path"), reader.text("column"), float(reader.text("fraction")), reader.texts("key"))


def _read_stream(reader: _Reader) -> Stream:
    sink = _Reader(reader.raw.get("sink") or {})
    sources = (_Reader(raw) for raw in reader.list("sources"))
    return Stream(
        query_id=reader.text("query_id"),
        run_id=reader.text_or_none("run_id"),
        name=reader.text_or_none("name"),
        batch_id=reader.integer_or_none("batch_id"),
        first_batch_id=reader.integer_or_none("first_batch_id"),
        batches=reader.integer_or_none("batches") or 1,
        started_ms=reader.integer_or_none("started_ms"),
        sources=tuple(
            SourceProgress(
                description=source.text_or_none("description"),
                start=source.text_or_none("from"),
                end=source.text_or_none("to"),
                rows=source.integer_or_none("rows"),
            )
            for source in sources
        ),
        sink=sink.text_or_none("description"),
        sink_rows=sink.integer_or_none("rows"),
    )


def _read_scan(reader: _Reader) -> Scan:
    path = reader.text_or_none("path")
    return Scan(
        class_name=reader.text("class"),
        sql_id=reader.integer_or_none("sql_id"),
        format=reader.text_or_none("format"),
        paths=reader.texts("paths") or ((path,) if path else ()),
        folders=reader.texts("folders"),
        delta_version=_version(reader.integer_or_none("delta_version")),
        table_id=reader.text_or_none("table_id"),
        output=reader.integers("output"),
        fingerprint=reader.text_or_none("fingerprint"),
        rows=reader.integer_or_none("rows"),
        bytes=reader.integer_or_none("bytes"),
        files=reader.integer_or_none("files"),
        filters=reader.texts("filters"),
        columns=reader.texts("columns"),
        name=reader.text_or_none("name"),
        committed_ms=reader.integer_or_none("committed_ms"),
        version_basis=_basis(reader, "version_basis"),
        options={key.lower(): value for key, value in (reader.map_or_none("options") or {}).items()},
    )


def _read_executable(reader: _Reader) -> Executable:
    clock = _Reader(reader.raw.get("clock") or {})
    try:
        blob = base64.b64decode(reader.text("blob"), validate=True)
    except ValueError as error:
        raise DocumentError(f"the executable's blob is no base64: {error}") from error
    return Executable(
        blob=blob,
        spark_version=reader.text("spark_version"),
        leaves=tuple(_read_leaf(_Reader(raw)) for raw in reader.list("leaves")),
        views=tuple(_read_view(_Reader(raw)) for raw in reader.list("views")),
        commands=tuple(None if raw is None else json.dumps(raw, sort_keys=True) for raw in reader.list("commands")),
        user=reader.text_or_none("user"),
        instant_us=clock.integer_or_none("instant_us"),
        instant_exact=clock.text_or_none("basis") == "exact",
    )


def _read_leaf(reader: _Reader) -> Leaf:
    source = reader.raw.get("source") or {}
    relation = _Reader(source.get("relation") or source.get("v2table") or {})
    delta = _Reader(relation.raw.get("delta") or {})
    table = (reader.raw.get("table") or {}).get("table") or {}
    name = table.get("name") or (reader.raw.get("identifier") or {}).get("name") or delta.list("table_name")
    return Leaf(
        class_name=reader.text("class"),
        output=reader.integers("output"),
        columns=reader.texts("columns"),
        format=reader.text_or_none("format") or relation.text_or_none("format"),
        paths=relation.texts("paths"),
        files=reader.texts("files") if "files" in reader.raw else None,
        inner=bool(reader.flag_or_none("inner")),
        name=tuple(str(part) for part in name),
        catalog=reader.text_or_none("catalog"),
        options=reader.map_or_none("options") or relation.map_or_none("options"),
        schema=reader.text_or_none("schema"),
        delta_path=delta.text_or_none("path"),
        table_id=delta.text_or_none("table_id"),
        version_at_analysis=delta.integer_or_none("version_at_analysis"),
        time_travel=bool(delta.flag_or_none("time_travel")),
    )


def _read_view(reader: _Reader) -> View:
    return View(name=reader.text("name"), temporary=bool(reader.flag_or_none("temporary")), sql=reader.text_or_none("sql"))


def _version(number: int | None) -> int | None:
    """Delta calls a table that is being made from files version -1."""
    return None if number is None or number < 0 else number


def _read_write(reader: _Reader) -> Write:
    return Write(
        class_name=reader.text("class"),
        sql_id=reader.integer_or_none("sql_id"),
        path=reader.text_or_none("path"),
        format=reader.text_or_none("format"),
        mode=reader.text_or_none("mode"),
        table=reader.text_or_none("table"),
        rows=reader.integer_or_none("rows"),
        bytes=reader.integer_or_none("bytes"),
        files=reader.integer_or_none("files"),
        fingerprint=reader.text_or_none("fingerprint"),
    )


def _read_commit(reader: _Reader) -> Commit:
    return Commit(
        path=reader.text("path"),
        version=reader.integer("version"),
        table_id=reader.text_or_none("table_id"),
        version_before=reader.integer_or_none("version_before"),
        operation=reader.text_or_none("operation"),
        fingerprint=reader.text_or_none("fingerprint"),
        metrics=reader.map_or_none("metrics") or {},
        columns=decode_fields(reader.list("columns")),
        generated={name: decode_stated(raw) for name, raw in reader.object("generated").items()},
        defaults={name: decode_stated(raw) for name, raw in reader.object("defaults").items()},
        identity=reader.texts("identity"),
        timestamp_ms=reader.integer_or_none("timestamp_ms"),
        sql_id=reader.integer_or_none("sql_id"),
        root_sql_id=reader.integer_or_none("root_sql_id"),
        basis=_basis(reader, "basis"),
    )


def _basis(reader: _Reader, name: str) -> Literal["exact", "inferred"]:
    return "inferred" if reader.text_or_none(name) == "inferred" else "exact"


_READERS: Final[dict[str, Any]] = {"run_start": _read_run_start, "execution": _read_execution, "run_end": _read_run_end}
