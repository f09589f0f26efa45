"""From what a plan says of a table or of files to the dataset it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..plan.values import CatalogTable, DeltaTable, Field, FileRelation, V2Table
from .naming import DatasetKey, Place, aliases_of, globbed_root, jdbc_key, location_of, place_of, places_of, table_parts

_TEXT_FORMATS: Final = {
    "textfileformat": "text",
    "csvfileformat": "csv",
    "jsonfileformat": "json",
    "parquetfileformat": "parquet",
    "deltaparquetfileformat": "delta",
    "orcfileformat": "orc",
    "binaryfileformat": "binaryfile",
    "avrofileformat": "avro",
}


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset as one place in a plan refers to it. `alias` is the name it was called by there."""

    place: Place
    aliases: tuple[str, ...] = ()
    alias: str | None = None
    format: str | None = None
    location: str | None = None
    table_id: str | None = None

    @property
    def key(self) -> DatasetKey:
        return self.place.key

    def also_called(self, names: Iterable[str]) -> DatasetRef:
        """The same with more aliases."""
        return replace(self, aliases=tuple(dict.fromkeys((*self.aliases, *names))))


@dataclass(frozen=True, slots=True)
class FromStream:
    """The source of a stream that a leaf takes its rows from, by its description; the offsets where the plan has them."""

    description: str | None
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A dataset as a leaf of a plan reads it, with what the leaf says of the version."""

    dataset: DatasetRef
    fields: tuple[Field, ...] = ()
    output: tuple[int, ...] = ()
    """The expression ids of its columns: a scan that has no path is told by them."""
    version_at_analysis: int | None = None
    time_travel: bool = False
    stream: FromStream | None = None
    inferred: bool = False
    """Whether only the RDDs behind a frame tell of it."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What names are relative to: the session's current database, and where its tables were seen to be."""

    current_database: str | None = None

    def aliases(self, parts: Iterable[str]) -> tuple[str, ...]:
        return aliases_of(parts, self.current_database)

    def of_delta(self, delta: DeltaTable, parts: tuple[str, ...] = ()) -> DatasetRef | None:
        """A Delta table, by the path of its log."""
        if delta.path is None:
            return None
        return self._ref(place_of(delta.path), parts, "delta", delta.path, delta.table_id)

    def of_files(self, relation: FileRelation, table: CatalogTable | None) -> tuple[DatasetRef, ...]:
        """The datasets of a LogicalRelation: one, unless a read named several folders."""
        parts = table.name if table else ()
        file_format = short_format(relation.format)
        if relation.delta is not None and (dataset := self.of_delta(relation.delta, parts)):
            return (dataset,)
        if table is not None and table.location:
            return (self._ref(place_of(table.location), parts, file_format or table.provider, table.location),)
        if relation.paths:
            root = globbed_root(relation.options.get("path"), relation.paths)
            paths = (root,) if root else relation.paths
            return tuple(self._ref(place, parts, file_format, paths[0]) for place in places_of(paths))
        kind = relation.class_name.rsplit(".", 1)[-1]
        return (self.of_options(relation.options, relation.format or kind, parts),)

    def of_v2(self, table: V2Table, identifier: tuple[str, ...] | None = None) -> DatasetRef:
        """The table of a DataSourceV2Relation. What has no location is named by its class and name."""
        parts = max(identifier or (), self._v2_parts(table), key=len)
        if table.delta is not None and (dataset := self.of_delta(table.delta, table.delta.table_name or parts)):
            return dataset
        location = table.properties.get("location") or table.properties.get("path")
        provider = table.properties.get("provider") or short_format(table.class_name)
        if location:
            return self._ref(place_of(location), parts, provider, location)
        if "url" in table.properties:
            return self.of_options({"dbtable": table.name or "", **table.properties}, "jdbc", parts)
        if parts:
            return self.of_name(parts, provider)
        return DatasetRef(Place(provider or "unknown", table.name or table.class_name), format=provider)

    def of_table(self, table: CatalogTable) -> DatasetRef:
        """A table of the session catalog."""
        if table.location:
            return self._ref(place_of(table.location), table.name, table.provider, table.location)
        return self.of_name(table.name, table.provider)

    def of_name(self, parts: tuple[str, ...], provider: str | None = None) -> DatasetRef:
        """A table of which only the name is known: that name, qualified, in the namespace of the catalog."""
        aliases = self.aliases(parts)
        catalog, _, name = (aliases[0] if aliases else "unknown.unknown").partition(".")
        return DatasetRef(Place(catalog, name), aliases, aliases[-1] if aliases else None, provider)

    def of_path(self, path: str, file_format: str | None, parts: tuple[str, ...] = ()) -> DatasetRef:
        """Files, or a Delta table, at a path."""
        return self._ref(place_of(path), parts, short_format(file_format), path)

    def of_options(self, options: Mapping[str, str], source: str, parts: tuple[str, ...] = ()) -> DatasetRef:
        """What has no path and is told by the source's options: a table behind JDBC, a topic."""
        table = options.get("dbtable") or options.get("query") or options.get("table")
        if "url" in options:
            return DatasetRef(Place(*jdbc_key(options["url"], table or "")), self.aliases(parts), table, "jdbc")
        if "kafka.bootstrap.servers" in options:
            broker = options["kafka.bootstrap.servers"].split(",")[0]
            topic = options.get("topic") or options.get("subscribe") or "*"  # each row says its own topic
            return DatasetRef(Place(f"kafka://{broker}", topic), format="kafka")
        return DatasetRef(Place(source, table or ".".join(parts) or source), self.aliases(parts), table, source)

    def _v2_parts(self, table: V2Table) -> tuple[str, ...]:
        """The parts of a table's name; a path that stands for one (``delta.`/x```) is no name."""
        parts = table_parts(table.name or "")
        return () if any("/" in part for part in parts) else parts

    def _ref(
        self, place: Place, parts: tuple[str, ...], file_format: str | None, location: str, table_id: str | None = None
    ) -> DatasetRef:
        named = () if any("/" in part for part in parts) else parts
        aliases = self.aliases(named)
        return DatasetRef(place, aliases, ".".join(named) or None, file_format, location_of(place, location), table_id)


def short_format(name: str | None) -> str | None:
    """``parquet`` for the class ``...ParquetFileFormat`` and its like; a name that is short already as it is, in lower case."""
    if name is None:
        return None
    last = name.rstrip("$").rsplit(".", 1)[-1].split("@")[0].lower()
    return _TEXT_FORMATS.get(last, last.removesuffix("fileformat"))
