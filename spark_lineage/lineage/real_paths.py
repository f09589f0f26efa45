"""Symbolic links followed: a document whose paths lead through links becomes one whose paths are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..plan.document import ExecutionDocument, Scan, Stream
from ..plan.nodes import Node, Plan
from ..plan.values import CatalogTable, DeltaTable, FileRelation, Location, Rdd, StreamSource, TextMap, V2Table, Value
from .naming import split
from .streams import FILE_SOURCE

_PLACES: Final = frozenset({"path", "location"})
"""Options and properties that hold a path."""


def followed(document: ExecutionDocument) -> tuple[ExecutionDocument, Mapping[str, str]]:
    """The document with real paths, and for each real path the one that the job used. As it is where the bridge saw no link."""
    if not document.real_paths:
        return document, {}
    links = _links(document)
    changed = replace(
        document,
        analyzed=None if document.analyzed is None else links.plan(document.analyzed),
        nested=tuple(replace(one, analyzed=links.plan(one.analyzed)) for one in document.nested),
        scans=tuple(links.scan(one) for one in document.scans),
        writes=tuple(replace(one, path=links.path_or_none(one.path)) for one in document.writes),
        commits=tuple(replace(one, path=links.path(one.path)) for one in document.commits),
        stream=None if document.stream is None else links.stream(document.stream),
    )
    return changed, {real: given for given, real in links.real.items()}


def real_path_of(document: ExecutionDocument) -> Callable[[str], str]:
    """What makes the real path of one as the job used it."""
    return _links(document).path


def _links(document: ExecutionDocument) -> _Links:
    return _Links({split(given)[1]: split(real)[1] for given, real in document.real_paths.items()})


@dataclass(frozen=True, slots=True)
class _Links:
    real: Mapping[str, str]

    def path(self, path: str) -> str:
        """The real path, for what lies at or below a known link; anything else as it is."""
        if not path.startswith(("/", "file:")):
            return path
        namespace, name = split(path)
        if namespace != "file":
            return path
        head = name
        while head:
            if head in self.real:
                return f"file:{self.real[head]}{name[len(head) :]}"
            head = head.rpartition("/")[0]
        return path

    def path_or_none(self, path: str | None) -> str | None:
        return None if path is None else self.path(path)

    def scan(self, scan: Scan) -> Scan:
        return replace(scan, paths=self.paths(scan.paths), folders=self.paths(scan.folders))

    def paths(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self.path, paths))

    def stream(self, stream: Stream) -> Stream:
        """The sources are known by their descriptions, so these change here and in the plan alike."""
        sources = (replace(one, description=self._described(one.description)) for one in stream.sources)
        return replace(stream, sources=tuple(sources))

    def plan(self, plan: Plan) -> Plan:
        return replace(plan, nodes={number: self._node(node) for number, node in plan.nodes.items()})

    def _node(self, node: Node) -> Node:
        return replace(node, fields={name: self._value(value, name) for name, value in node.fields.items()})

    def _value(self, value: Value, name: str = "") -> Value:
        if isinstance(value, str):
            return self.path(value) if name.lower() in _PLACES else value
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        if isinstance(value, TextMap):
            return TextMap({key: self._value(item, key) for key, item in value.entries.items()})
        if isinstance(value, Location):
            return Location(self.path(value.path))
        if isinstance(value, CatalogTable):
            return replace(value, location=self.path_or_none(value.location))
        if isinstance(value, StreamSource):
            return replace(value, description=self._described(value.description))
        if isinstance(value, Rdd):
            sources = (replace(one, paths=self.paths(one.paths)) for one in value.sources)
            return replace(value, sources=tuple(sources))
        if isinstance(value, FileRelation):
            paths, folders = self.paths(value.paths), self.paths(value.folders)
            return replace(
                value, paths=paths, folders=folders, options=self._options(value.options), delta=self._delta(value.delta)
            )
        if isinstance(value, V2Table):
            return replace(
                value,
                paths=self.paths(value.paths),
                folders=self.paths(value.folders),
                options=self._options(value.options),
                properties=self._options(value.properties),
                delta=self._delta(value.delta),
            )
        return value

    def _described(self, description: str | None) -> str | None:
        watched = FILE_SOURCE.fullmatch(description or "")
        return f"FileStreamSource[{self.path(watched[1])}]" if watched else description

    def _options(self, options: Mapping[str, str]) -> dict[str, str]:
        return {key: self.path(text) if key in _PLACES else text for key, text in options.items()}

    def _delta(self, delta: DeltaTable | None) -> DeltaTable | None:
        return None if delta is None else replace(delta, path=self.path_or_none(delta.path))
