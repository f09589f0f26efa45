"""Values that a plan node's fields hold: the typed reading of the encodings in docs/documents.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .expressions import Expression


@dataclass(frozen=True, slots=True, eq=False)
class Stated:
    """An expression as a node states it. `sql` is its SQL text, None for a bare column."""

    expression: Expression
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type, as Spark's catalogString."""

    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A column's name, type (catalogString) and nullability."""

    name: str
    data_type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class PlanRef:
    """A plan that is no child of the node: a command's query, a table that is written. `schema` is what it gives, if told."""

    id: int
    schema: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class StructSchema:
    """A StructType."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A TableIdentifier or Identifier, outermost part first."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A table or view of the session catalog; `kind` is EXTERNAL, MANAGED or VIEW."""

    name: tuple[str, ...]
    location: str | None = None
    provider: str | None = None
    kind: str | None = None
    view_text: str | None = None


@dataclass(frozen=True, slots=True)
class DeltaTable:
    """What a leaf says of the Delta table behind it. `time_travel`: the version at analysis is the one that was asked for."""

    path: str | None = None
    table_id: str | None = None
    version_at_analysis: int | None = None
    time_travel: bool = False
    table_name: tuple[str, ...] = ()
    managed: bool = False


@dataclass(frozen=True, slots=True)
class FileRelation:
    """The relation of a LogicalRelation."""

    class_name: str
    format: str | None = None
    paths: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    partition_columns: tuple[str, ...] = ()
    delta: DeltaTable | None = None
    name: str | None = None
    """What a relation that is no files says of itself."""
    folders: tuple[str, ...] = ()
    """Those of the paths that are known to be folders though they are called like files."""


@dataclass(frozen=True, slots=True)
class V2Table:
    """The table of a DataSourceV2Relation."""

    class_name: str
    name: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    delta: DeltaTable | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    """Of files read by DataSource V2."""
    format: str | None = None
    folders: tuple[str, ...] = ()
    """Those of the paths that are known to be folders though they are called like files."""


@dataclass(frozen=True, slots=True)
class Location:
    """A Hadoop path, or the data path of a DeltaLog."""

    path: str


@dataclass(frozen=True, slots=True)
class StreamSource:
    """The source of a stream that a leaf reads, and what its batches' progress calls it by."""

    class_name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class RddSource:
    """An RDD that begins with data: files, a table behind JDBC, or what the class alone tells."""

    class_name: str
    paths: tuple[str, ...] = ()
    url: str | None = None
    table: str | None = None
    columns: tuple[str, ...] = ()
    """The columns that are read of its files, where it tells."""


@dataclass(frozen=True, slots=True)
class Rdd:
    """An RDD and what those behind it begin with. `whole` is False where there were too many to look at."""

    class_name: str
    sources: tuple[RddSource, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object that the bridge names by its class only."""

    class_name: str


@dataclass(frozen=True, slots=True)
class TextMap:
    """A map with text keys."""

    entries: Mapping[str, Value]


Value: TypeAlias = (
    str
    | int
    | float
    | bool
    | tuple["Value", ...]
    | Stated
    | PlanRef
    | DataType
    | StructSchema
    | Name
    | CatalogTable
    | FileRelation
    | V2Table
    | Location
    | Opaque
    | StreamSource
    | Rdd
    | TextMap
    | None
)
