"""What a table behind a database's URL or a connector's options is called: OpenLineage's names, from tables of data.

A row for each kind of database and each connector; what no row fits is named by its source and options.
The rules are those of https://openlineage.io/docs/spec/naming; where that has none (MongoDB, Elasticsearch), a name of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .naming import DatasetKey
from .queries import tables_of

_JDBC_SECRETS: Final = re.compile(r"(?i)[?;&:](user|username|password|token|secret)[^=;&]*=[^;&]*")
_REDACTED: Final = "(redacted)"
_USER: Final = re.compile(r"(?<=//)[^/?#]*@")
Fold: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Database:
    """`schema` is the one of a table that names none; `fold`: what the database makes of names without quotes. The database's
    own name in a URL is folded where it is a name like the others."""

    scheme: str
    port: int | None = None
    schema: str | None = None
    fold: Fold = str
    levels: int | None = 3
    """Of a qualified name: 3 with a schema between database and table, 2 without; None where it is not known."""


_DATABASES: Final = {
    "postgresql": _Database("postgres", 5432, "public", str.lower),
    "postgres": _Database("postgres", 5432, "public", str.lower),
    "redshift": _Database("redshift", 5439, "public", str.lower),
    "mysql": _Database("mysql", 3306, levels=2),
    "mariadb": _Database("mysql", 3306, levels=2),
    "sqlserver": _Database("mssql", 1433, "dbo"),
    "oracle": _Database("oracle", 1521, fold=str.upper),
    "db2": _Database("db2", 50000, fold=str.upper),
    "teradata": _Database("teradata", 1025, levels=2),
    "trino": _Database("trino", 8080, fold=str.lower),
    "presto": _Database("trino", 8080, fold=str.lower),
    "hive2": _Database("hive", 10000, "default", str.lower),
    "crate": _Database("crate", 5432, "doc", str.lower),
    "oceanbase": _Database("oceanbase", 2881, levels=2),
    "clickhouse": _Database("clickhouse", 8123, levels=2),
    "ch": _Database("clickhouse", 8123, levels=2),
    "snowflake": _Database("snowflake", fold=str.upper),
}
"""By the name after ``jdbc:``. A database without a row keeps that name."""


@dataclass(frozen=True, slots=True)
class _Connector:
    """`{a|b=c}` in a template is the option `a`, else `b`, else the text `c`; without any of them the row does not fit."""

    words: tuple[str, ...]
    """One of them is in the source's name or class."""
    namespace: str
    name: str
    fold: Fold | None = None
    """Of a name whose last part, the table, may say by itself what it is in: what is made of its parts without quotes."""


_CONNECTORS: Final = (
    _Connector(("snowflake",), "snowflake://{sfurl}", "{sfdatabase}.{sfschema=public}.{dbtable|table}", str.upper),
    _Connector(("bigquery",), "bigquery", "{project|parentproject}.{dataset}.{table|dbtable|path}", str),
    _Connector(("bigquery",), "bigquery", "{table|dbtable|path}"),
    _Connector(("cassandra",), "cassandra://{spark.cassandra.connection.host|host}:{spark.cassandra.connection.port|port=9042}", "{keyspace}.{table}"),
    _Connector(("cassandra",), "cassandra", "{keyspace}.{table}"),
    _Connector(("mongo",), "mongodb://{connection.uri|spark.mongodb.connection.uri|uri|host}", "{database}.{collection}"),
    _Connector(("elasticsearch", "opensearch"), "elasticsearch://{es.nodes|opensearch.nodes=localhost}:{es.port|opensearch.port=9200}",
               "{es.resource|es.resource.read|es.resource.write|opensearch.resource|path}"),
    _Connector(("cosmos",), "azurecosmos://{spark.cosmos.accountendpoint}/dbs/{spark.cosmos.database}", "colls/{spark.cosmos.container}"),
    _Connector(("kusto",), "azurekusto://{kustocluster}.kusto.windows.net", "{kustodatabase}/{kustotable}"),
    _Connector(("spanner",), "spanner://{projectid}:{instanceid}", "{databaseid}.{table}"),
    _Connector(("milvus",), "milvus://{milvus.host|host}:{milvus.port|port=19530}", "{milvus.database.name|database=default}.{milvus.collection.name|collection}"),
    _Connector(("pubsub",), "pubsub", "topic:{projectid|project}:{topic|topicid}"),
)  # fmt: skip

_TABLES: Final = ("dbtable", "table", "collection", "index", "topic", "path", "resource", "query")
_CONTAINERS: Final = ("catalog", "database", "keyspace", "dataset", "schema")
_HOSTS: Final = ("url", "uri", "connection.uri", "host", "hosts", "endpoint", "server")


def jdbc_keys(url: str, table: str) -> tuple[DatasetKey, ...]:
    """The tables behind a JDBC URL: `table` is a name, or a query whose tables are told by rule, or the dataset itself."""
    stripped = table.strip()
    if not re.match(r"(?i)[(]|(select|with)\b", stripped):
        return (jdbc_key(url, stripped),)
    tables = tables_of(stripped)
    return tuple(dict.fromkeys(jdbc_key(url, one) for one in tables)) if tables else (jdbc_key(url, table),)


def jdbc_key(url: str, table: str) -> DatasetKey:
    """A table of a database behind JDBC: ``postgres://host:5432`` and ``database.schema.table``.

    Credentials in the URL are left out, quotes around names too. What follows an unknown form is kept whole as namespace.
    """
    plain = _JDBC_SECRETS.sub("", url.removeprefix("jdbc:"))
    if plain.startswith("oracle:"):
        plain = _oracle(plain)
    match = re.match(r"(?P<kind>[a-z0-9]+):(?:[a-z]+:)*//(?:[^@/]*@)?(?P<host>[^/;?]+)(?:/(?P<database>[^?;]*))?", plain)
    if match is None:
        return plain.split("?")[0].split(";")[0], ".".join(_parts(table)) or table
    database = _DATABASES.get(match["kind"], _Database(match["kind"], levels=None))
    host = match["host"].split(",")[0].lower()
    host = host if database.port is None or re.search(r":\d+$", host) else f"{host}:{database.port}"
    if database.scheme == "snowflake":
        host = host.split(":")[0].removesuffix(".snowflakecomputing.com")
    named = re.search(r"(?i)[;?&](?:database(?:name)?|db)=([^;&]+)", plain)
    # Db2 and its like have their settings behind a colon: `/SAMPLE:user=u;password=p;`.
    name = named[1] if named else re.sub(r":\w+=.*", "", match["database"] or "")
    schema = re.search(r"(?i)[:;?&](?:currentschema|schema)=([^;&,]+)", plain)
    containers = (*name.split("/"), schema[1] if schema else database.schema)
    if database.fold is str.upper:
        containers = tuple(".".join(_parts(one, str.upper)) for one in containers if one)
    return f"{database.scheme}://{host}", _qualified(table, tuple(filter(None, containers)), database)


def _qualified(table: str, containers: Sequence[str], database: _Database) -> str:
    """A table with what it is in before it, but for what its name says by itself."""
    if re.match(r"\s*[(]|(?i:\s*(?:select|with)\b)", table):
        return ".".join((*containers[:1], table))
    own = _parts(table, database.fold) or (table,)
    if len(own) > 1:
        known = database.levels or (2 if containers and own[0] == containers[0] else 3)
        containers = containers[: max(0, known - len(own))]
    return ".".join((*containers, *own))


def _parts(name: str, fold: Fold = str) -> tuple[str, ...]:
    """The parts of a qualified name without quotes; those that had none folded."""
    found = re.findall(r'"((?:[^"]|"")+)"|`([^`]+)`|\[([^\]]+)\]|([^."`\[\]]+)', name.strip())
    parts = (quoted or ticked or boxed or fold(bare.strip()) for quoted, ticked, boxed, bare in found)
    return tuple(part for part in parts if part)


def _oracle(url: str) -> str:
    """``oracle:thin:@//host:1521/service``, ``@host:1521:sid`` and ``@host:1521/service`` as one form."""
    match = re.match(r"oracle:[a-z]+:(?:[^@]*)@(?://)?([^:/]+)(?::(\d+))?[:/]([^?]+)", url)
    return f"oracle://{match[1]}:{match[2] or 1521}/{match[3]}" if match else url


def connector_key(source: str, options: Mapping[str, str]) -> tuple[DatasetKey, bool]:
    """What a connector reads or writes, and whether a rule for it told. Option keys are in lower case.

    ``gen`` with ``host=h`` and ``collection=c`` is ``("gen://h", "c")`` by no rule; with no such option all that are not secret name it.
    """
    named = {key: _USER.sub("", value) for key, value in options.items() if value}
    plain = {key: value for key, value in named.items() if _REDACTED not in value}
    lowered = source.lower()
    if "mongo" in lowered:
        plain = {**_in_mongo_uri(plain), **plain}
    for row in _CONNECTORS:
        if any(word in lowered for word in row.words):
            namespace, name = _filled(row.namespace, plain, host=True), _named(row, plain)
            if namespace and name:
                return (namespace, name), True
    short = source.rsplit(".", 1)[-1].rstrip("$")
    where = next((_host(plain[key]) for key in _HOSTS if key in plain), None)
    port = plain.get("port")
    namespace = f"{short}://{where}{f':{port}' if port and ':' not in where else ''}" if where else short
    table = next((plain[key] for key in _TABLES if key in plain), None)
    if table is not None:
        containers = [plain[key] for key in _CONTAINERS if key in plain]
        return (namespace, ".".join((*containers, table))), False
    rest = sorted((key, value) for key, value in plain.items() if key not in (*_HOSTS, "port"))
    return (namespace, ",".join(f"{key}={value}" for key, value in rest)[:500] or short), False


def _named(row: _Connector, options: Mapping[str, str]) -> str | None:
    """A name by its template. The containers that a table names by itself (``X.T``) are not put before it again."""
    if row.fold is None:
        return _filled(row.name, options, host=False)
    *containers, last = re.findall(r"\{[^}]+\}", row.name)
    table = _filled(last, options, host=False, quotes="")
    if table is None or re.search(r"[\s(]", re.sub(r'"[^"]*"', "", table.strip())):
        return _filled(row.name, options, host=False)
    own = _parts(table.replace(":", ".", 1) if row.namespace == "bigquery" else table, row.fold)
    around = [_filled(one, options, host=False, quotes="") for one in containers[: max(0, len(containers) + 1 - len(own))]]
    told = [".".join(_parts(one, row.fold)) for one in around if one]
    return ".".join((*told, *own)) if len(told) == len(around) else None


def _in_mongo_uri(options: Mapping[str, str]) -> dict[str, str]:
    """``mongodb://host/database.collection`` says both, where no option does."""
    uri = next((options[key] for key in ("connection.uri", "spark.mongodb.connection.uri", "uri") if key in options), "")
    inside = re.match(r"[a-z+]+://[^/?]+/([^?]+)", uri)
    database, _, collection = inside[1].partition(".") if inside else ("", "", "")
    return {key: text for key, text in (("database", database), ("collection", collection)) if text}


def _filled(template: str, options: Mapping[str, str], host: bool, quotes: str = '"`') -> str | None:
    missing = False

    def one(match: re.Match[str]) -> str:
        nonlocal missing
        keys, _, default = match[1].partition("=")
        value = next((options[key] for key in keys.split("|") if key in options), default)
        missing = missing or not value
        return _host(value) if host else value.strip(quotes)

    filled = re.sub(r"\{([^}]+)\}", one, template)
    return None if missing else re.sub(r"(:\d+):\d+$", r"\1", filled)


def _host(url: str) -> str:
    """The host and port of a URL, or of a list of hosts the first; an account for Snowflake's."""
    inner = re.sub(r"^(?:jdbc:)?[a-z0-9+.]+:(?:[a-z]+:)*//|^https?://", "", url)
    first = inner.partition("/")[0].partition("?")[0].split(",")[0].rpartition("@")[2]
    return first.removesuffix(":443").removesuffix(".snowflakecomputing.com")
