"""From what a plan says of a table or of files to the dataset it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..plan.values import CatalogTable, DeltaTable, Field, FileRelation, V2Table
from .databases import connector_key, jdbc_keys
from .kafka import topics_of, written_of
from .naming import (
    DatasetKey,
    Place,
    aliases_of,
    exact_place,
    globbed_root,
    is_absolute,
    location_of,
    place_asked,
    place_of,
    places_of,
    table_parts,
)

_TEXT_FORMATS: Final = {
    "textfileformat": "text",
    "csvfileformat": "csv",
    "jsonfileformat": "json",
    "parquetfileformat": "parquet",
    "deltaparquetfileformat": "delta",
    "orcfileformat": "orc",
    "binaryfileformat": "binaryfile",
    "avrofileformat": "avro",
    "binary": "binaryfile",
    "hivefileformat": "hive",
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
    note: str | None = None
    """What is not sure of the name: goes to the reasons of the execution."""

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
    declared: bool = False
    """Whether only the program says so."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What names are relative to: the session's current database, and where its tables were seen to be."""

    current_database: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    """Of a real path, the one with symbolic links that led there."""

    def aliases(self, parts: Iterable[str]) -> tuple[str, ...]:
        return aliases_of(parts, self.current_database)

    def of_delta(self, delta: DeltaTable, parts: tuple[str, ...] = ()) -> DatasetRef | None:
        """A Delta table, by the path of its log."""
        if delta.path is None:
            return None
        return self._ref(exact_place(delta.path), parts, "delta", delta.path, delta.table_id)

    def of_files(self, relation: FileRelation, table: CatalogTable | None) -> tuple[DatasetRef, ...]:
        """The datasets of a LogicalRelation: one, unless a read named several folders."""
        parts = table.name if table else ()
        file_format = short_format(relation.format)
        if relation.delta is not None and (dataset := self.of_delta(relation.delta, parts)):
            return (dataset,)
        if table is not None and table.location:
            return (self._at(table.location, parts, file_format or table.provider),)
        if relation.paths:
            root = globbed_root(relation.options.get("path"), relation.paths)
            paths = (root,) if root else relation.paths
            return tuple(self._ref(place, parts, file_format, paths[0]) for place in places_of(paths, relation.folders))
        return self.of_source(relation.options, relation.format or relation.class_name, parts, relation.name)

    def of_v2(
        self,
        table: V2Table,
        identifier: tuple[str, ...] | None = None,
        catalog: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> tuple[DatasetRef, ...]:
        """The table of a DataSourceV2Relation. What has no location is named by its catalog, or by its source and options."""
        parts = self._v2_parts(table, identifier, catalog)
        if table.delta is not None and (dataset := self.of_delta(table.delta, table.delta.table_name or parts)):
            return (dataset,)
        options = {**table.options, **(options or {})}
        provider = table.properties.get("provider") or table.format or short_format(table.class_name)
        if table.paths:
            root = globbed_root(options.get("path"), table.paths)
            return tuple(
                self._ref(place, parts, provider, table.paths[0])
                for place in places_of((root,) if root else table.paths, table.folders)
            )
        location = table.properties.get("location") or table.properties.get("path")
        if location:
            return (self._at(location, parts, provider),)
        url = options.get("url") or table.properties.get("url", "")
        if url.startswith("jdbc:"):
            return self.of_source({"dbtable": table.name or "", **table.properties, **options}, "jdbc", parts)
        if identifier or catalog or table.delta is not None:
            return (self.of_name(parts or (table.name or table.class_name,), provider),)
        source = table.name if table.class_name.endswith(".PythonTable") else None
        return self.of_source({**table.properties, **options}, source or table.class_name, ())

    def of_table(self, table: CatalogTable) -> DatasetRef:
        """A table of the session catalog."""
        if table.location:
            return self._at(table.location, table.name, table.provider)
        return self.of_name(table.name, table.provider)

    def of_name(self, parts: tuple[str, ...], provider: str | None = None) -> DatasetRef:
        """A table of which only the name is known: that name, qualified, in the namespace of the catalog; a path where that stands for one
        (``delta.`/x```)."""
        if len(parts) > 1 and is_absolute(parts[-1]):
            return self.of_path(parts[-1], parts[-2])
        aliases = self.aliases(parts)
        catalog, _, name = (aliases[0] if aliases else "unknown.unknown").partition(".")
        return DatasetRef(Place(catalog, name), aliases, aliases[-1] if aliases else None, provider)

    def of_path(self, path: str, file_format: str | None, parts: tuple[str, ...] = ()) -> DatasetRef:
        """Files, or a Delta table, at a path."""
        return self._at(path, parts, short_format(file_format))

    def of_search(self, path: str, file_format: str | None) -> DatasetRef:
        """Files at a path that a reader was given, which may be a glob."""
        return self._ref(place_asked(path), (), short_format(file_format), path)

    def of_topics(self, options: Mapping[str, str], end: str | None = None) -> tuple[DatasetRef, ...]:
        """The topics of Kafka that are read; `end`: the offsets that were reached."""
        return tuple(DatasetRef(place, format="kafka") for place in topics_of(options, end))

    def of_source(
        self, options: Mapping[str, str], source: str, parts: tuple[str, ...] = (), described: str | None = None
    ) -> tuple[DatasetRef, ...]:
        """What has no path and is told by the source's options: tables behind JDBC, a topic, a collection."""
        url = options.get("url", "")
        if url.startswith("jdbc:"):
            return self._of_jdbc(url, options, parts)
        if "kafka.bootstrap.servers" in options:
            return tuple(DatasetRef(place, format="kafka") for place in written_of(options))
        kind = short_format(source) or source
        if kind in ("noop", "nooptable"):
            return (DatasetRef(Place("noop", "noop"), format="noop"),)
        if not options and parts:
            return (DatasetRef(Place(kind, ".".join(parts)), self.aliases(parts), ".".join(parts), kind, note=_unknown(kind)),)
        key, known = connector_key(source, options)
        if not options and described and "@" not in described:
            key = (kind, described)
        alias = ".".join(parts) or key[1]
        short = key[0].partition(":")[0] if known else kind
        return (DatasetRef(Place(*key), self.aliases(parts), alias, short, note=None if known else _unknown(kind)),)

    def _of_jdbc(self, url: str, options: Mapping[str, str], parts: tuple[str, ...]) -> tuple[DatasetRef, ...]:
        asked = options.get("dbtable") or options.get("query") or options.get("table") or ".".join(parts)
        keys = jdbc_keys(url, asked)
        query = re.match(r"(?i)\s*([(]|(select|with)\b)", asked) is not None
        note = None
        if query and keys[0][1].endswith(asked):
            note = "a query sent to a database whose tables could not be told: the dataset is the query"
        elif query:
            note = "a query sent to a database: its columns are taken to be those of that name in its tables"
        named = asked if not query else None
        return tuple(DatasetRef(Place(*key), self.aliases(parts), ".".join(parts) or named, "jdbc", note=note) for key in keys)

    def _v2_parts(self, table: V2Table, identifier: tuple[str, ...] | None, catalog: str | None) -> tuple[str, ...]:
        """The parts of a table's name, the catalog's before them; a path that stands for one (``delta.`/x```) is no name."""
        told = (
            table_parts(table.name or "")
            if identifier or catalog or table.delta or len(table_parts(table.name or "")) > 1
            else ()
        )
        if identifier and catalog and identifier[0] != catalog:
            identifier = (catalog, *identifier)
        parts = max(identifier or (), told, key=len)
        return () if any("/" in part for part in parts) else parts

    def _at(self, path: str, parts: tuple[str, ...], file_format: str | None) -> DatasetRef:
        """A Delta table is where its log is, whatever its folder is called; a folder of partitions belongs to the one above."""
        delta = (file_format or "").lower() == "delta"
        return self._ref(exact_place(path) if delta else place_of(path), parts, file_format, path)

    def _ref(
        self, place: Place, parts: tuple[str, ...], file_format: str | None, location: str, table_id: str | None = None
    ) -> DatasetRef:
        named = () if any("/" in part for part in parts) else parts
        aliases = self.aliases(named)
        if place.namespace == "file" and place.name in self.links:
            aliases = (*aliases, self.links[place.name])
        return DatasetRef(place, aliases, ".".join(named) or None, file_format, location_of(place, location), table_id)


def _unknown(source: str) -> str:
    return f"the source {source} is not one that has a rule here: its dataset is named by its class and options"


def short_format(name: str | None) -> str | None:
    """``parquet`` for the class ``...ParquetFileFormat`` and its like; a name that is short already as it is, in lower case."""
    if name is None:
        return None
    last = name.rstrip("$").rsplit(".", 1)[-1].split("@")[0].lower()
    return _TEXT_FORMATS.get(last, last.removesuffix("fileformat"))
