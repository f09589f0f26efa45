"""Which queries are a training of Spark ML, by their call sites, and what scores with a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.lineage.scoring import applies_model
from spark_lineage.plan.document import ExecutionDocument, read
from spark_lineage.plan.expressions import Call

_ML = "org.apache.spark.ml."
_RDD = "org.apache.spark.sql.classic.Dataset.rdd(Dataset.scala:1612)"


@pytest.fixture
def fit() -> ExecutionDocument:
    document = read((Path(__file__).parents[2] / "plans" / "model_fit" / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    return document


@pytest.mark.parametrize(
    ("frames", "trainer"),
    [
        (("classification.LogisticRegression.$anonfun$train$1(L.scala:5)", "util.Instrumentation$.instrumented(I.scala:2)"), "LogisticRegression"),
        (("util.DatasetUtils$.extractInstances(D.scala:1)", "regression.GBTRegressor.$anonfun$train$1(G.scala:173)"), "GBTRegressor"),
        (("recommendation.ALS$$anon$1.next(ALS.scala:3)",), "ALS"),
        (("evaluation.BinaryClassificationEvaluator.evaluate(B.scala:9)",), "BinaryClassificationEvaluator"),
        (("util.Instrumentation.logDataset(I.scala:64)", "clustering.KMeans.$anonfun$fit$1(K.scala:442)"), None),
        (("classification.ClassificationSummary.$init$(C.scala:59)", "classification.LogisticRegression.train(L.scala:5)"), None),
        (("feature.ImputerModel.surrogates$lzycompute(I.scala:267)", "feature.ImputerModel.surrogates(I.scala:266)"), None),
        ((), None),
    ],
)  # fmt: skip
def test_a_training_is_told_by_where_it_was_called(
    fit: ExecutionDocument, frames: tuple[str, ...], trainer: str | None
) -> None:
    call_site = "\n".join((_RDD, *(_ML + frame for frame in frames)))
    records = records_of_execution(replace(fit, call_site=call_site), RunContext())
    assert {(edge.target_namespace, edge.target_name) for edge in records.column_lineage} == (
        {("spark-ml", trainer)} if trainer else set()
    )
    assert not records.outputs


def test_a_training_that_failed_trains_nothing(fit: ExecutionDocument) -> None:
    assert not records_of_execution(replace(fit, status="failed"), RunContext()).column_lineage


@pytest.mark.parametrize(
    ("function", "is_model"),
    [
        (f"{_ML}PredictionModel$$Lambda/0x1", True),
        (f"{_ML}feature.Bucketizer$$Lambda/0x1", True),  # QuantileDiscretizer makes one
        (f"{_ML}feature.VectorAssembler$$Lambda/0x1", False),
        (f"{_ML}functions$$$Lambda/0x1", False),
        ("com.example.Score$$Lambda/0x1", False),
        (None, False),
    ],
)
def test_what_applies_a_model(function: str | None, is_model: bool) -> None:
    assert applies_model(Call("ScalaUDF", (), {"function": function})) is is_model
    assert not applies_model(Call("Upper", (), {"function": function}))
