"""The rows of a recorded SQL statement, where its plan is not kept or another Spark wrote it: the text is parsed again, over the versions that were read.

Only of a statement that writes what a query gives (CREATE TABLE AS, INSERT): what it changes in places needs the plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from ..errors import ExecutableError
from ..model import REDACTED, ExecutableLeaf, PlanExecutable
from ..snapshot.spark import quoted, same_names
from ..snapshot.with_spark import first_line_of_spark
from ..store.tables import Store, literal
from .bridge_sources import made
from .causes import FUNCTION, doubts_of
from .executables import Found, session_of
from .outputs import Labels, recorded_format

_COLUMNAR = ("parquet", "orc", "avro")
_NOW = ("current_", "now(", "localtimestamp", "curdate", "unix_timestamp()")
_NAME = re.compile(r"(`(?:[^`]|``)*`|\w+)(\s*\.\s*(`(?:[^`]|``)*`|\w+))*")
_CALLS = ("reflect", "try_reflect", "java_method")
"""Functions of Spark's own that call whatever they are told to."""
_MOST = 10_000
"""`Document.java` cuts what is longer."""
_CREATES = ("CreateTableAsSelect", "ReplaceTableAsSelect")
_INSERTS = "InsertIntoStatement"


@dataclass(frozen=True)
class Statement:
    """`read`: what the execution read, by the alias that it had. `views`: what the views were called that it read by."""

    text: str
    read: tuple[Mapping[str, Any], ...]
    confs: Mapping[str, str]
    views: frozenset[str] = frozenset()

    @property
    def doubts(self) -> tuple[str, ...]:
        text = self.text.lower()
        return tuple(
            f"non-deterministic: {word.strip('_(')} is that of the replay in a statement" for word in _NOW if word in text
        )


def statement_of(store: Store, execution_id: str) -> Statement:
    """What is recorded of it. Raises ExecutableError where that is no statement, or not all of one."""
    condition = f"execution_id = {literal(execution_id)}"
    rows = store.arrow("executions", ["statement", "session_confs_id", "plan_id"], condition).to_pylist()
    text = rows[0]["statement"] if rows else None
    if not text:
        raise ExecutableError("it was no SQL statement that could be run instead")
    if len(text) >= _MOST:
        raise ExecutableError(f"its statement is longer than the {_MOST:,} characters that are recorded of one")
    if REDACTED in text:
        raise ExecutableError("its statement is recorded without its literals, which were redacted")
    columns = ["namespace", "name", "alias", "table_id", "delta_version", "version_basis", "fingerprint"]
    read = store.arrow("inputs", columns, condition).to_pylist()
    confs: dict[str, str] = {}
    if rows[0]["session_confs_id"]:
        named = f"session_confs_id = {literal(rows[0]['session_confs_id'])}"
        confs = dict(next(iter(store.arrow("session_confs", ["confs"], named).column(0).to_pylist()), None) or {})
    return Statement(text, tuple(read), confs, _views(store, rows[0]["plan_id"]))


def _views(store: Store, plan_id: str | None) -> frozenset[str]:
    """What the views of a plan were called, in small letters."""
    plans = (
        () if plan_id is None else store.arrow("plans", ["operators"], f"plan_id = {literal(plan_id)}").column(0).to_pylist()
    )
    found = set()
    for operators in plans:
        views = {one["id"] for one in operators or () if one["kind"] == "View"}
        found |= {
            one["description"].lower() for one in operators or () if views & {*one["inputs"]} and one["kind"] == "SubqueryAlias"
        }
    return frozenset(found)


def as_found(store: Store, run_id: str, execution_id: str, statement: Statement) -> Found:
    """What it read, as the leaves of a plan, so that it is looked for in the same way. Raises ExecutableError."""
    leaves, labels = [], Labels(store)
    for number, row in enumerate(statement.read):
        key = row["namespace"], row["name"]
        location, source = labels.location(key), recorded_format(store, key)
        delta = row["delta_version"] is not None
        if location is None or not (delta or source in _COLUMNAR):
            raise ExecutableError(
                f"{row['name']} is {source or 'of no known format'}: how the statement read it is not recorded"
            )
        leaves.append(
            ExecutableLeaf(
                number=number, kind="delta" if delta else "files", format="delta" if delta else source, location=location,
                table_id=row["table_id"], delta_version=row["delta_version"], version_basis=row["version_basis"], name=row["alias"],
                paths=() if delta else (location,),
            )
        )  # fmt: skip
    executable = PlanExecutable(
        execution_id=execution_id, run_id=run_id, executable_id="", spark_version="", leaves=tuple(leaves), event_date=date.min
    )  # fmt: skip
    return Found(executable, b"", statement.confs)


def rows_of_statement(
    spark: SparkSession,
    statement: Statement,
    found: Found,
    places: Mapping[int, str],
    schema: StructType,
    trusted: bool = False,
    versioned: bool = True,
) -> DataFrame:
    """The rows that the statement gives to what it writes, which has that schema, and is a Delta table or not (`versioned`). Raises ExecutableError, of one that runs code before it is
    analyzed, unless it is `trusted`.

    Each table that it names stands for what was read of it: by a view where the name has one part, else by one in the place of the name.
    """
    session = session_of(spark, found)
    try:
        plan = _parsed(session, statement.text)
        query = _query(plan)
        if not trusted:
            _check_code(session, query)
        text, named = statement.text, []
        relations, within = _named(query)
        for parts, start in sorted(relations, key=lambda one: -one[1]):
            meant = _leaves(parts, found.executable.leaves)
            if not meant and len(parts) == 1 and parts[0].lower() in within:
                continue
            if parts[-1].lower() in statement.views:
                raise ExecutableError(
                    f"{'.'.join(parts)} in its statement is a view: what that stood for is not recorded with it"
                )
            if len(meant) != 1:
                known = f"{len(meant)} of the tables" if meant else "none of the tables"
                raise ExecutableError(f"{'.'.join(parts)} in its statement is {known} that it is recorded to have read")
            leaf = meant[0]
            if len(parts) == 1:
                named.append((parts[0], leaf))
                continue
            view = f"spark_lineage_{leaf.number}"
            text = text[:start] + _NAME.sub(view, text[start:], count=1)
            named.append((view, leaf))
        for view, leaf in dict(named).items():
            _frame(session, leaf, places).createOrReplaceTempView(f"`{view}`")
        plan = _parsed(session, text)
        jvm: Any = session.sparkContext._jvm
        frame = getattr(jvm.org.apache.spark.sql.classic, "Dataset$")
        rows = DataFrame(getattr(frame, "MODULE$").ofRows(session._jsparkSession, _query(plan)), session)
        if not trusted:
            _refuse([doubt.removeprefix(FUNCTION) for doubt in doubts_of(rows) if doubt.startswith(FUNCTION)])
        given = rows.toDF(*_names(plan, rows, schema.names))
        return given if _goes_by_names(plan, rows, given, schema, versioned) else _by_position(given, schema)
    except (PySparkException, Py4JJavaError) as error:
        raise ExecutableError(f"its statement cannot be run again: {first_line_of_spark(error)}") from error


def _check_code(session: SparkSession, query: Any) -> None:
    """Of a parsed query: to analyze a call of `reflect` begins the class that it names, and one of a function that is kept in a catalog loads it. Raises
    ExecutableError for all that is not known to be a function of Spark's own, or of the extensions of this session; those of a catalog have dots in
    their names, or are in neither registry."""
    jvm: Any = session.sparkContext._jvm
    state: Any = session._jsparkSession.sessionState()
    refused = []
    for told in map(str, made(session, "Calls").of(query)):
        kind, _, name = told.partition(": ")
        registry = {"function": state.functionRegistry, "table function": state.tableFunctionRegistry}.get(kind)
        known = registry is not None and registry().functionExists(jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name))
        if not known or "." in name or name.lower() in _CALLS:
            refused.append(name)
    _refuse(refused)


def _refuse(code: Sequence[str]) -> None:
    if code:
        raise ExecutableError(
            f"its statement runs code, or may ({', '.join(code[:3])}), and is not signed; --trust-store runs it all the same"
        )


def _parsed(session: SparkSession, text: str) -> Any:
    return session._jsparkSession.sessionState().sqlParser().parsePlan(text)


def _class(node: Any) -> str:
    return str(node.getClass().getSimpleName())


def _query(plan: Any) -> Any:
    called = _class(plan)
    if called not in (*_CREATES, _INSERTS):
        raise ExecutableError(f"its statement ({called}) writes more than the rows of a query: that needs its plan")
    if called == _INSERTS and (
        not plan.partitionSpec().isEmpty() or _has(plan, "replaceCriteriaOpt") or plan.ifPartitionNotExists()
    ):
        raise ExecutableError("its statement names partitions or rows that it replaces: that needs its plan")
    return plan.query()


def _has(plan: Any, field: str) -> bool:
    try:
        return not getattr(plan, field)().isEmpty()
    except Exception:  # another Spark has not that field
        return False


def _names(plan: Any, rows: DataFrame, columns: Sequence[str]) -> Sequence[str]:
    """A table that is made has the query's names; INSERT goes by position, unless it says BY NAME."""
    if _class(plan) != _INSERTS or plan.byName():
        return rows.columns
    given = _list(plan.userSpecifiedCols())
    wanted = [str(name) for name in given] or list(columns)
    if len(wanted) < len(rows.columns):
        raise ExecutableError("its statement gives more columns than the table has")
    return wanted[: len(rows.columns)]


def _goes_by_names(plan: Any, rows: DataFrame, given: DataFrame, schema: StructType, versioned: bool) -> bool:
    """Whether fields of structs are put into the table's by their names. Of an INSERT into a Delta table only where it has nothing to cast, as Delta looks
    at names and types first; BY NAME and names in the table's order are alike to it then, and a list of columns is not."""
    if _class(plan) != _INSERTS:
        return True
    if not versioned:
        return bool(plan.byName())
    if not plan.byName() and (_list(plan.userSpecifiedCols()) or rows.columns != schema.names[: len(rows.columns)]):
        return False
    wanted = {field.name: field.dataType for field in schema}
    return all(field.name in wanted and _fits(field.dataType, wanted[field.name]) for field in given.schema)


def _fits(given: DataType, wanted: DataType) -> bool:
    """Whether a type has all that another one has, by the names of fields."""
    if isinstance(given, StructType) and isinstance(wanted, StructType):
        there = {field.name: field.dataType for field in given}
        return all(field.name in there and _fits(there[field.name], field.dataType) for field in wanted)
    if isinstance(given, ArrayType) and isinstance(wanted, ArrayType):
        return _fits(given.elementType, wanted.elementType)
    if isinstance(given, MapType) and isinstance(wanted, MapType):
        return _fits(given.keyType, wanted.keyType) and _fits(given.valueType, wanted.valueType)
    return given.simpleString() == wanted.simpleString()


def _by_position(rows: DataFrame, schema: StructType) -> DataFrame:
    """With the fields of structs called as those that stand there in the table."""
    told = {schema[place].name: at for place, at in same_names(rows.columns, schema.names).items()}
    wanted = {at: _called(rows.schema[at].dataType, schema[name].dataType) for name, at in told.items()}
    columns = [F.col(quoted(name)) for name in rows.columns]
    return rows.select(
        *(
            value.cast(wanted[at]).alias(rows.columns[at]) if wanted.get(at, field.dataType) != field.dataType else value
            for at, (value, field) in enumerate(zip(columns, rows.schema, strict=True))
        )
    )


def _called(given: DataType, wanted: DataType) -> DataType:
    """A type with the names that the fields of structs have in another, place by place."""
    if isinstance(given, StructType) and isinstance(wanted, StructType):
        fields = []
        for at, field in enumerate(given):
            same = wanted[at] if at < len(wanted) else field
            fields.append(StructField(same.name, _called(field.dataType, same.dataType), field.nullable))
        return StructType(fields)
    if isinstance(given, ArrayType) and isinstance(wanted, ArrayType):
        return ArrayType(_called(given.elementType, wanted.elementType), given.containsNull)
    if isinstance(given, MapType) and isinstance(wanted, MapType):
        key, value = _called(given.keyType, wanted.keyType), _called(given.valueType, wanted.valueType)
        return MapType(key, value, given.valueContainsNull)
    return given


def _named(plan: Any) -> tuple[set[tuple[tuple[str, ...], int]], set[str]]:
    """The names of tables in a parsed query, subqueries and common table expressions too, with where they begin in the text; and the names of
    the common table expressions."""
    relations: set[tuple[tuple[str, ...], int]] = set()
    within: set[str] = set()
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if _class(node) == "UnresolvedRelation" and node.origin().startIndex().isDefined():
            parts = tuple(str(part) for part in _list(node.multipartIdentifier()))
            relations.add((parts, int(node.origin().startIndex().get())))
        if _class(node) == "UnresolvedWith":
            within |= {str(one._1()).lower() for one in _list(node.cteRelations())}
        for below in (node.children(), node.subqueries(), node.innerChildren()):
            waiting += _list(below)
    return relations, within


def _list(values: Any) -> list[Any]:
    iterator, found = values.iterator(), []
    while iterator.hasNext():
        found.append(iterator.next())
    return found


def _leaves(parts: tuple[str, ...], leaves: Sequence[ExecutableLeaf]) -> list[ExecutableLeaf]:
    """Those that a name may mean, by the aliases or the places that were recorded of them."""
    wanted = [part.lower() for part in parts]
    found = []
    for leaf in leaves:
        alias = [part.strip("`").lower() for part in (leaf.name or "").split(".")] if "/" not in (leaf.name or "/") else []
        place = (leaf.location or "").removeprefix("file:").replace("///", "/").rstrip("/")
        path = parts[-1].removeprefix("file:").replace("///", "/").rstrip("/") if "/" in parts[-1] else None
        if (alias and alias[-len(wanted) :] == wanted) or path == place:
            found.append(leaf)
    return found


def _frame(session: SparkSession, leaf: ExecutableLeaf, places: Mapping[int, str]) -> DataFrame:
    reader = session.read.format(leaf.format or "delta")
    if leaf.number in places:
        return session.read.format("delta").load(places[leaf.number])
    if leaf.delta_version is not None:
        return reader.option("versionAsOf", leaf.delta_version).load(leaf.location)
    return reader.load(list(leaf.paths))
