"""A table of PostgreSQL as a side of a diff, through ADBC: `pip install spark-lineage[postgres]`.

It is named `postgresql://USER@HOST:PORT/DATABASE?table=SCHEMA.TABLE`; all else in it is libpq's, which takes the password from
PGPASSWORD or ~/.pgpass. Types are those that Spark's JDBC source gives: the catalog of the database declares them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa

from ..errors import SnapshotError, first_line
from .kinds import Column, columns_of
from .sides import Side, Told

_TYPES = {
    "int2": "short", "int4": "integer", "int8": "long", "float4": "float", "float8": "double", "bool": "boolean",
    "text": "string", "name": "string", "varchar": "varchar", "bpchar": "char", "uuid": "string", "json": "string", "jsonb": "string",
    "bytea": "binary", "date": "date", "timestamp": "timestamp_ntz", "timestamptz": "timestamp",
}  # fmt: skip
_ELEMENTS = ("int2", "int4", "int8", "float4", "float8", "bool", "text", "date", "timestamp", "timestamptz")
_AS_TEXT = ("uuid", "json", "jsonb")
_UNDECLARED = "decimal(38,18)"
"""What Spark takes a numeric without precision for."""
_SHOWN = ("host", "port", "dbname", "user", "table")
_SECRET = re.compile("password|secret|key")
"""Parameters whose values libpq's own messages are not to repeat."""
_URI = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^\s:/?#@]*)(?::(?P<password>[^\s/?#@]*))?@)?(?P<hosts>[^\s/?#@]*)"
    r"(?:/(?P<database>[^\s/?#@]*))?(?:\?(?P<query>[^?#]*))?"
)
"""Each sign that ends a part has to be escaped within one: else a password would be taken for a host or a parameter."""
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%]+\]|[^\[\]:]*)(?::[0-9]*)?")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def is_postgres(location: str) -> bool:
    return location.startswith(("postgresql://", "postgres://"))


class PostgresSide(Side):
    """One transaction that sees the table as it was when it was opened, however often it is read."""

    def __init__(self, location: str, ignored: Collection[str] = ()) -> None:
        address = _Address.parsed(location)
        self._table, self._secrets = _table_of(address), address.secrets
        self.location = str(address)
        try:
            from adbc_driver_manager import Error
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            raise SnapshotError(
                f"reading {self.location} takes a driver that is not installed ({error}): pip install 'spark-lineage[postgres]'"
            ) from error
        self._error = Error
        with self._told_as("cannot be reached"):
            self._connection = dbapi.connect(address.libpq)
        try:
            with self._told_as("cannot be read"):
                self._rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                name = ".".join(_quoted(part) for part in self._table)
                ((relation,),) = self._rows(f"SELECT to_regclass({_literal(name)})::oid::int8")
                if relation is None:
                    raise SnapshotError(
                        f"the database of {self.location} has no table {'.'.join(self._table)} that can be seen"
                    )
                self._from, declared, self._bytes = self._catalog(relation)
                self._declared = {name: kind for name, kind in declared.items() if name not in set(ignored)}
                self.left_out = frozenset(ignored) & declared.keys()
            fields = [
                {"name": name, "type": self._spark(name, kind, modifier), "nullable": True}
                for name, (kind, modifier) in self._declared.items()
            ]
            self.columns = columns_of({"fields": fields})
        except BaseException:
            self.close()
            raise

    @property
    def bytes(self) -> int:
        return self._bytes

    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        names = [column.stored for column in columns]
        selected = ", ".join(
            f"{_quoted(name)}::text AS {_quoted(name)}" if self._declared[name][0] in _AS_TEXT else _quoted(name)
            for name in names
        )
        with self._told_as("cannot be read"), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {selected} FROM {self._from}")
            for batch in cursor.fetch_record_batch():
                yield self._with_decimals(batch)
                told(batch.nbytes)

    def close(self) -> None:
        self._connection.close()

    def _catalog(self, relation: int) -> tuple[str, dict[str, tuple[str, int]], int]:
        """The quoted name, each column's type with its modifier, and the size."""
        ((name, size),) = self._rows(
            "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), pg_table_size(c.oid) FROM pg_class c "
            f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {relation}"
        )
        columns = self._rows(
            "SELECT a.attname::text, coalesce(b.typname, t.typname)::text, CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END "
            "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype "
            f"WHERE a.attrelid = {relation} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return name, {column: (kind, modifier) for column, kind, modifier in columns}, size or 0

    def _spark(self, name: str, kind: str, modifier: int) -> Any:
        if kind == "numeric":
            if modifier < 0:
                return _UNDECLARED
            precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
            if precision <= 38 and scale <= precision:
                return f"decimal({precision},{scale})"
            kind = f"numeric({precision},{scale - 0x800 if scale & 0x400 else scale})"
        elif kind in ("varchar", "bpchar") and modifier >= 0:
            return f"{_TYPES[kind]}({modifier - 4})"
        elif kind in ("varchar", "bpchar"):
            return "string"
        elif kind in _TYPES:
            return _TYPES[kind]
        elif kind.startswith("_") and kind[1:] in _ELEMENTS:
            return {"type": "array", "elementType": _TYPES[kind[1:]], "containsNull": True}
        raise SnapshotError(
            f"column {name} of {self.location} is of type {kind}, which is not compared: cast it in a view and name that, or leave it "
            f"out with --ignore-column {name}"
        )

    def _with_decimals(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is numeric comes as text."""
        declared = {column.stored: column.kind.spark for column in self.columns}
        for at, name in enumerate(batch.schema.names):
            if not declared[name].startswith("decimal("):
                continue
            precision, scale = (int(number) for number in declared[name][len("decimal(") : -1].split(","))
            array = batch.column(at)
            texts = array.storage if isinstance(array, pa.ExtensionArray) else array
            try:
                batch = batch.set_column(at, name, texts.cast(pa.decimal128(precision, scale)))
            except pa.ArrowException as error:
                raise SnapshotError(
                    f"column {name} of {self.location} has a value that {declared[name]} does not hold: {first_line(error)}"
                ) from error
        return batch

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return [] if statement.startswith("SET") else list(cursor.fetchall())

    @contextmanager
    def _told_as(self, failed: str) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            said = re.sub(r"^\w+: \[libpq\] (?:Failed to \w+(?: query)?: )?", "", first_line(error))
            for secret in self._secrets:
                said = said.replace(secret, "***")
            raise SnapshotError(f"{self.location} {failed}: {said}") from None


@dataclass(frozen=True, repr=False)
class _Address:
    """The parts of a URI as they are written, none of them decoded. Its text has no password, and of the parameters `_SHOWN` alone."""

    user: str | None
    password: str | None
    hosts: str
    database: str | None
    parameters: tuple[tuple[str, str], ...]

    @classmethod
    def parsed(cls, location: str) -> _Address:
        """Raises SnapshotError for what libpq may take apart otherwise than it is meant, without repeating any of it."""
        found = _URI.fullmatch(location)
        parameters = tuple(pair.partition("=")[::2] for pair in (found["query"] or "").split("&") if pair) if found else ()
        if (
            found is None
            or _NO_ESCAPE.search(location)
            or not all(_HOST.fullmatch(host) for host in found["hosts"].split(","))
            or not all(name.isidentifier() for name, _ in parameters)
        ):
            raise SnapshotError(
                "the address of PostgreSQL cannot be taken apart, and is not repeated here, since it may have a password: write "
                "postgresql://USER@HOST:PORT/DATABASE?table=SCHEMA.TABLE, with %23 for #, %2F for /, %3A for :, %3F for ?, %40 for @, "
                "%25 for % and %20 for a blank within a name; the password is best left to PGPASSWORD or ~/.pgpass"
            )
        return cls(found["user"], found["password"], found["hosts"], found["database"], parameters)

    def values(self, name: str) -> list[str]:
        return [unquote(value) for one, value in self.parameters if one == name]

    @property
    def secrets(self) -> list[str]:
        """As they are written and as they are meant, the longest first."""
        hidden = [self.password or "", *(value for name, value in self.parameters if _SECRET.search(name))]
        return sorted({one for value in hidden for one in (value, unquote(value)) if one}, key=len, reverse=True)

    @property
    def libpq(self) -> str:
        """What libpq is given. It takes a + for what it is."""
        return self._written(self.password, [one for one in self.parameters if one[0] != "table"])

    def __str__(self) -> str:
        return self._written(None, [one for one in self.parameters if one[0] in _SHOWN])

    def _written(self, password: str | None, parameters: Iterable[tuple[str, str]]) -> str:
        user = "" if self.user is None else f"{self.user}{'' if password is None else f':{password}'}@"
        database = "" if self.database is None else f"/{self.database}"
        query = "&".join(f"{name}={quote(value, safe='%.')}" for name, value in parameters)
        return f"postgresql://{user}{self.hosts}{database}{'?' if query else ''}{query}"


def shown(location: str) -> str:
    """Without a password, and without what else may be a secret. Raises SnapshotError for what cannot be taken apart."""
    return str(_Address.parsed(location))


def _table_of(address: _Address) -> tuple[str, ...]:
    """The parts of the table's name."""
    tables = address.values("table")
    found = [quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(tables[0])] if len(tables) == 1 else []
    if len(found) not in (1, 2):
        raise SnapshotError(
            f"{address} does not say which table; write postgresql://USER@HOST:PORT/DATABASE?table=SCHEMA.TABLE"
        )
    return tuple(found)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
