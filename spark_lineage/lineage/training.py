"""Training: what Spark ML itself reads while it fits, and the edges that a model has from it.

``fit`` runs queries of its own: an aggregate, a collect, a frame's ``rdd``. Their call sites lie in Spark ML's code and their
plans say which columns it takes. Each of them is recorded as a lineage into a place that is no dataset (`NAMESPACE`, the class
that trains), so that a model that is saved later in the run can be told to come from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..model import ColumnEdge, RunReads
from ..plan.document import ExecutionDocument
from .datasets import DatasetRef
from .edges import Edge, edges_of
from .influence import union
from .models import FORMAT
from .naming import DatasetKey, Place
from .relation import Column
from .scoring import Applied
from .walk import Walk, Written

NAMESPACE: Final = "spark-ml"
"""Of the targets of trainings: models in memory, which are no datasets."""

_FRAME: Final = re.compile(r"^\s*org\.apache\.spark\.ml\.(?P<package>[a-z_.]+\.)?(?P<name>\w+)[\w$]*\.", re.MULTILINE)
_OTHER: Final = re.compile(r"Instrumentation|\w*Summary\w*|\w+Model")
"""Classes of Spark ML that look at the data for the log, or at a model that is there already, such as one that reads its own numbers."""


def edges_of_training(
    document: ExecutionDocument, walk: Walk | None, allowed: Callable[[DatasetRef], bool], applied: Callable[[], Applied]
) -> tuple[Edge, ...]:
    """What a query of Spark ML's own takes, as edges into the model that it trains; nothing for any other execution."""
    trainer = _trainer(document.call_site)
    if (
        trainer is None
        or document.status != "succeeded"
        or (walk is not None and any(not one.declared for one in walk.written))
    ):
        return ()
    place = Place(NAMESPACE, trainer)
    if walk is None:
        return (Edge(place.key, None, "unknown", None, None, "DIRECT", "AGGREGATION"),)
    if walk.readings and all(reading.dataset.format == FORMAT for reading in walk.readings):
        return ()  # a saved model is loaded
    relation = walk.relations[walk.plan.root]
    columns = relation.output_columns()
    influence = union(part for column in columns for part in column.value.parts()).aggregated()
    column = Column(influence, None, trainer, columns)
    written = Written(DatasetRef(place), "fit", "fit", ((None, column),), relation, None)
    edges = [edge for edge in edges_of(written, walk, allowed, applied) if edge.kind in ("column", "unknown")]
    return tuple(_not_told_twice(edges))


def _trainer(call_site: str | None) -> str | None:
    """The class of Spark ML that a query was started by, None where it was not."""
    frames = [(match["package"] or "", match["name"]) for match in _FRAME.finditer(call_site or "")]
    if not frames or _OTHER.fullmatch(frames[0][1]):
        return None
    return next((name for package, name in frames if package != "util." and not _OTHER.fullmatch(name)), frames[0][1])


def sources_of_model(model: DatasetKey, reads: Callable[[], RunReads]) -> tuple[list[Edge], frozenset[DatasetKey]]:
    """The edges of a model that is saved, from what its run trained on, and the datasets that it comes from.

    Where no training was seen, or what one took cannot be told, those are all that the run has read.
    """
    run = reads()
    edges = list(_once(model, run.trained))
    datasets = run.trained_on | run.models
    if not edges or any(edge.kind == "unknown" for edge in edges):
        datasets = run.datasets | run.models
    return edges, datasets - {model}


def _once(model: DatasetKey, trained: Iterable[ColumnEdge]) -> Iterator[Edge]:
    """Each column once, as the last training took it, and what only decided beside it where its value was not taken."""
    told: dict[tuple[object, ...], Edge] = {}
    for one in trained:
        source = None if one.source_name is None else (one.source_namespace or "", one.source_name)
        if source == model:
            continue
        decides = (one.subtype, one.expression) if one.edge_type == "INDIRECT" else ()
        edge = Edge(
            model, None, one.source_kind, source, one.source_column, one.edge_type, one.subtype, one.masking,
            one.expression, one.steps, "inferred",
        )  # fmt: skip
        told[(source, one.source_column, one.edge_type, one.masking, *decides)] = edge
    return _not_told_twice(told.values())


def _not_told_twice(edges: Iterable[Edge]) -> Iterator[Edge]:
    """Without what only decides where the value itself is taken: how rows become numbers is no matter of a model's lineage."""
    edges = tuple(edges)
    taken = {(edge.source, edge.source_column) for edge in edges if edge.type == "DIRECT"}
    return (edge for edge in edges if edge.type == "DIRECT" or (edge.source, edge.source_column) not in taken)
