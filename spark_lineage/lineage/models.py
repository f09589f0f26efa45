"""Trained models: the many files of one saved Spark ML model are one dataset, and lineage passes through it by inference.

Spark ML saves a model as ``<path>/metadata`` (one line of JSON as text), ``<path>/data`` (Parquet), and a pipeline's stages as
models of their own under ``<path>/stages/<number>_<uid>``. Each is an execution of its own, and what the training read is
nowhere in their plans: ``training.py`` infers that, and ``scoring.py`` which models rows were scored with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..model import RunReads
from ..plan.nodes import Node
from .datasets import DatasetRef, Reading
from .naming import DatasetKey, Place, location_of, place_of
from .walk import Walk, Written

FORMAT: Final = "spark-ml"

_STAGE: Final = re.compile(r"(?P<root>.+?)/stages/\d+_\w*_[0-9a-f]{8,}(?:/.*)?")
_PART: Final = re.compile(r"(?P<root>.+)/(?P<part>metadata|data|treesMetadata|userFactors|itemFactors)")


@dataclass(frozen=True, slots=True)
class Models:
    """The model files that a plan touches. `folds` gives, for the place of each, the model that it is a part of."""

    folds: Mapping[DatasetKey, Place]
    heads: frozenset[DatasetKey]
    """The places that are a model's own metadata, whose fingerprint stands for the model."""

    def dataset(self, dataset: DatasetRef) -> DatasetRef:
        """The dataset, or the model that it is a part of."""
        place = self.folds.get(dataset.key)
        if place is None:
            return dataset
        return DatasetRef(place, format=FORMAT, location=location_of(place, dataset.location or ""))


NO_MODELS: Final = Models({}, frozenset())


def models_in(walk_: Walk, reads: Callable[[], RunReads]) -> Models:
    """The parts of models among what a plan reads and writes. The run is asked only where a path looks like one."""
    folds: dict[DatasetKey, Place] = {}
    heads: set[DatasetKey] = set()
    for dataset, certain in (*_written_parts(walk_), *_read_parts(walk_)):
        path = dataset.location or dataset.place.name
        root = _root(path, certain, reads)
        if root is not None:
            folds[dataset.key] = root
            if path.rstrip("/").endswith("/metadata") and "/stages/" not in path:
                heads.add(dataset.key)
    return Models(folds, frozenset(heads)) if folds else NO_MODELS


def saved(written: Written, models: Models) -> Written:
    """The write of a model's part as a write of the model: its files' columns are nobody's."""
    dataset = models.dataset(written.target)
    if dataset is written.target:
        return written
    return replace(written, target=dataset, operation="save model", columns=(), fields=())


def loaded(reading: Reading, models: Models) -> Reading:
    """The reading of a model's part as a reading of the model."""
    dataset = models.dataset(reading.dataset)
    return reading if dataset is reading.dataset else replace(reading, dataset=dataset, fields=())


def _written_parts(walk_: Walk) -> Iterable[tuple[DatasetRef, bool]]:
    """Targets that may be a model's part; certain for one line of text out of the driver's memory."""
    for written in walk_.written:
        if written.node is not None and written.node.kind == "InsertIntoHadoopFsRelationCommand":
            is_text = written.target.format == "text" and len(written.columns) == 1
            yield written.target, is_text and _from_driver(written.node, walk_)


def _read_parts(walk_: Walk) -> Iterable[tuple[DatasetRef, bool]]:
    for reading in walk_.readings:
        names = tuple(field.name for field in reading.fields)
        yield reading.dataset, reading.dataset.format == "text" and names == ("value",)


def _from_driver(command: Node, walk_: Walk) -> bool:
    """Whether the rows are a LocalRelation or an RDD, with nothing done to them."""
    if len(command.children) != 1:
        return False
    node = walk_.plan.nodes[command.child]
    while node.kind in ("Repartition", "Project") and len(node.children) == 1:
        node = walk_.plan.nodes[node.child]
    return node.kind in ("LocalRelation", "LogicalRDD")


def _root(path: str, certain: bool, reads: Callable[[], RunReads]) -> Place | None:
    """The model that a path is a part of, None for a path like any other.

    Below ``stages/<number>_<uid>`` and at the metadata of a model the path tells; ``data`` and its like may be anybody's
    folder, and belong to a model only where the run knows one there. A model inside a known one is part of that.
    """
    stage = _STAGE.fullmatch(path)
    part = _PART.fullmatch(path.rstrip("/"))
    if stage is None and part is None:
        return None
    root = stage["root"] if stage else part["root"] if part else path
    enclosing = _enclosing(root, reads().models)
    if enclosing is not None:
        return enclosing
    if stage is not None or (part is not None and part["part"] == "metadata" and certain):
        return place_of(root)
    return None


def _enclosing(path: str, models: frozenset[DatasetKey]) -> Place | None:
    """The outermost known model at or above a path."""
    found = None
    while "/" in path.strip("/"):
        place = place_of(path)
        if place.key in models and (found is None or place.key != found.key):
            found = place
        path = path.rpartition("/")[0]
    return found
