"""Scoring: which functions in a plan are those of a trained model, and what stands for the models that they are of.

A model's ``transform`` is a function in the plan (ScalaUDF) that tells its class and not the model: that it is one that the run
has loaded, saved or trained is inferred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..model import ColumnEdge, RunReads
from ..plan.expressions import Call, walk
from ..plan.nodes import Plan
from .naming import DatasetKey

_OF_ML: Final = "org.apache.spark.ml."
_WITHOUT_A_MODEL: Final = (
    "functions", "feature.Binarizer", "feature.DCT", "feature.ElementwiseProduct", "feature.FeatureHasher", "feature.HashingTF",
    "feature.Interaction", "feature.NGram", "feature.Normalizer", "feature.PolynomialExpansion", "feature.RegexTokenizer",
    "feature.StopWordsRemover", "feature.Tokenizer", "feature.VectorAssembler", "feature.VectorSizeHint", "feature.VectorSlicer",
)  # fmt: skip
"""Classes of Spark ML whose functions compute with what the program told them, and learn nothing from data."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What stands for the models whose functions a plan calls: those that are known, and the edges of trainings that went into
    none of them."""

    models: frozenset[DatasetKey] = field(default_factory=frozenset)
    trained: tuple[ColumnEdge, ...] = ()


def applies_model(call: Call) -> bool:
    """Whether a function is that of a trained model."""
    function = call.arguments.get("function")
    if call.name != "ScalaUDF" or not isinstance(function, str) or not function.startswith(_OF_ML):
        return False
    name = function.removeprefix(_OF_ML)
    return name.partition("$")[0] not in _WITHOUT_A_MODEL


def unknown_model(plan: Plan) -> bool:
    """Whether a plan calls a function whose class says that it is a model's."""
    stated = (part for node in plan.nodes.values() for one in node.all_stated() for part in walk(one.expression))
    return any(isinstance(part, Call) and applies_model(part) and "Model" in str(part.arguments["function"]) for part in stated)


def applied_by(reads: Callable[[], RunReads]) -> Applied:
    """The models that a run may apply: those that it loaded or saved. What it trained on is told of a model that it did not save."""
    run = reads()
    covered = {(edge.source_namespace, edge.source_name, edge.source_column) for edge in run.saved}
    fresh = (edge for edge in run.trained if (edge.source_namespace, edge.source_name, edge.source_column) not in covered)
    return Applied(run.models, tuple(fresh))
