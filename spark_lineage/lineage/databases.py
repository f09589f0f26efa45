"""What a table behind a database's URL or a connector's options is called: OpenLineage's names, from tables of data.

A row for each kind of database and each connector; what no row fits is named by its source and options.
The rules are those of https://openlineage.io/docs/spec/naming; where that has none (MongoDB, Elasticsearch), a name of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .naming import DatasetKey
from .queries import tables_of

_JDBC_SECRETS: Final = re.compile(r"(?i)[?;&](user|username|password|token|secret)[^=;&]*=[^;&]*")
_REDACTED: Final = "(redacted)"


@dataclass(frozen=True, slots=True)
class _Database:
    """`schema` is the one of a table that names none; `lower`: names without quotes are in lower case."""

    scheme: str
    port: int | None = None
    schema: str | None = None
    lower: bool = False


_DATABASES: Final = {
    "postgresql": _Database("postgres", 5432, "public", lower=True),
    "postgres": _Database("postgres", 5432, "public", lower=True),
    "redshift": _Database("redshift", 5439, "public", lower=True),
    "mysql": _Database("mysql", 3306),
    "mariadb": _Database("mysql", 3306),
    "sqlserver": _Database("mssql", 1433, "dbo"),
    "oracle": _Database("oracle", 1521),
    "db2": _Database("db2", 50000),
    "teradata": _Database("teradata", 1025),
    "trino": _Database("trino", 8080),
    "presto": _Database("trino", 8080),
    "hive2": _Database("hive", 10000, "default"),
    "crate": _Database("crate", 5432, "doc"),
    "oceanbase": _Database("oceanbase", 2881),
    "clickhouse": _Database("clickhouse", 8123),
    "ch": _Database("clickhouse", 8123),
    "snowflake": _Database("snowflake"),
}
"""By the name after ``jdbc:``. A database without a row keeps that name."""


@dataclass(frozen=True, slots=True)
class _Connector:
    """`{a|b=c}` in a template is the option `a`, else `b`, else the text `c`; without any of them the row does not fit."""

    words: tuple[str, ...]
    """One of them is in the source's name or class."""
    namespace: str
    name: str


_CONNECTORS: Final = (
    _Connector(("snowflake",), "snowflake://{sfurl}", "{sfdatabase}.{sfschema=public}.{dbtable|table}"),
    _Connector(("bigquery",), "bigquery", "{project|parentproject}.{dataset}.{table|dbtable|path}"),
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
        return plain.split("?")[0].split(";")[0], _unquoted(table, lower=False)
    database = _DATABASES.get(match["kind"], _Database(match["kind"]))
    host = match["host"].split(",")[0].lower()
    host = host if database.port is None or re.search(r":\d+$", host) else f"{host}:{database.port}"
    if database.scheme == "snowflake":
        host = host.split(":")[0].removesuffix(".snowflakecomputing.com")
    named = re.search(r"(?i)[;?&](?:database(?:name)?|db)=([^;&]+)", plain)
    name = (named[1] if named else match["database"] or "").strip("/").replace("/", ".")
    schema = re.search(r"(?i)[;?&](?:currentschema|schema)=([^;&,]+)", plain)
    return f"{database.scheme}://{host}", _qualified(table, name, schema[1] if schema else database.schema, database.lower)


def _qualified(table: str, database: str, schema: str | None, lower: bool) -> str:
    if re.match(r"\s*[(]|(?i:\s*(?:select|with)\b)", table):
        return f"{database}.{table}" if database else table
    named = _unquoted(table, lower)
    parts = len(re.findall(r'"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[^.]+', table))
    if parts == 1 and schema:
        named = f"{schema}.{named}"
    if parts == 3 or not database or (parts == 2 and schema is None and named.startswith(f"{database}.")):
        return named
    return f"{database}.{named}"


def _unquoted(table: str, lower: bool) -> str:
    parts = re.findall(r'"((?:[^"]|"")+)"|`([^`]+)`|\[([^\]]+)\]|([^."`\[\]]+)', table.strip())
    plain = (quoted or ticked or boxed or (bare.lower() if lower else bare) for quoted, ticked, boxed, bare in parts)
    return ".".join(plain) or table


def _oracle(url: str) -> str:
    """``oracle:thin:@//host:1521/service``, ``@host:1521:sid`` and ``@host:1521/service`` as one form."""
    match = re.match(r"oracle:[a-z]+:(?:[^@]*)@(?://)?([^:/]+)(?::(\d+))?[:/]([^?]+)", url)
    return f"oracle://{match[1]}:{match[2] or 1521}/{match[3]}" if match else url


def connector_key(source: str, options: Mapping[str, str]) -> tuple[DatasetKey, bool]:
    """What a connector reads or writes, and whether a rule for it told. Option keys are in lower case.

    ``gen`` with ``host=h`` and ``collection=c`` is ``("gen://h", "c")`` by no rule; with no such option all that are not secret name it.
    """
    plain = {key: value for key, value in options.items() if value and _REDACTED not in value}
    lowered = source.lower()
    for row in _CONNECTORS:
        if any(word in lowered for word in row.words):
            namespace, name = _filled(row.namespace, plain, host=True), _filled(row.name, plain, host=False)
            if namespace and name:
                return (namespace, name.replace(":", ".", 1) if namespace == "bigquery" else name), True
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


def _filled(template: str, options: Mapping[str, str], host: bool) -> str | None:
    missing = False

    def one(match: re.Match[str]) -> str:
        nonlocal missing
        keys, _, default = match[1].partition("=")
        value = next((options[key] for key in keys.split("|") if key in options), default)
        missing = missing or not value
        return _host(value) if host else value.strip('"`')

    filled = re.sub(r"\{([^}]+)\}", one, template)
    return None if missing else re.sub(r"(:\d+):\d+$", r"\1", filled)


def _host(url: str) -> str:
    """The host and port of a URL, or of a list of hosts the first; an account for Snowflake's."""
    inner = re.sub(r"^(?:jdbc:)?[a-z0-9+.]+:(?:[a-z]+:)*//|^https?://", "", url)
    first = inner.partition("/")[0].partition("?")[0].split(",")[0].rpartition("@")[2]
    return first.removesuffix(":443").removesuffix(".snowflakecomputing.com")
