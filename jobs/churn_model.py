"""Trains a churn model on the features, saves it as the next version, and scores every user with the saved one.

    spark-submit jobs/churn_model.py --features demo/tables/user_activity_features \
        --models demo/models/churn_prediction_model --predictions demo/tables/churn_predictions

Saved as `<models>/version=N`, N counting from 1. Four users of five train, the fifth tells how good the model is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import Imputer, StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

COUNTED = [
    "events", "sessions", "active_days", "page_views", "searches", "carts", "purchases", "support_tickets",
    "events_last_week", "days_since_last_event", "days_known",
]  # fmt: skip
MEASURED = ["revenue", "events_per_session", "conversion", "mean_gap_hours"]


def main() -> None:
    arguments = parse_arguments()
    spark = SparkSession.builder.appName("churn_model").getOrCreate()
    features = spark.read.format("delta").load(arguments.features)
    models = Path(arguments.models)
    path, version = next_version(models, names_in(spark, models))
    train(features.where("NOT " + HELD_BACK)).save(str(path))
    predictions = score(features, PipelineModel.load(str(path)), version)
    predictions.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(arguments.predictions)
    print(f"model version {version}: area under ROC on users held back is {quality(spark, arguments.predictions):.3f}")
    spark.stop()


# By user, not by chance: the same users are held back in each version, so that versions can be compared.
HELD_BACK = "crc32(user_id) % 5 = 0"


def train(features: DataFrame) -> PipelineModel:
    """Numbers filled in, put on one scale, and a logistic regression over them."""
    stages = [
        Imputer(inputCols=["mean_gap_hours"], outputCols=["gap_hours"], strategy="median"),
        VectorAssembler(inputCols=[*COUNTED, *MEASURED[:-1], "gap_hours"], outputCol="assembled"),
        StandardScaler(inputCol="assembled", outputCol="scaled"),
        LogisticRegression(featuresCol="scaled", labelCol="churned", maxIter=15, regParam=0.01),
    ]
    return Pipeline(stages=stages).fit(as_numbers(features))


def score(features: DataFrame, model: PipelineModel, version: int) -> DataFrame:
    """The features, the probability that the user leaves, and the verdict."""
    scored = model.transform(as_numbers(features))
    return scored.select(
        "user_id",
        *COUNTED,
        *MEASURED,
        "last_device",
        "country",
        "churned",
        sf.round(vector_to_array(sf.col("probability"))[1], 6).alias("churn_probability"),
        sf.col("prediction").cast("int").alias("prediction"),
        sf.lit(version).alias("model_version"),
    )


def as_numbers(features: DataFrame) -> DataFrame:
    """Spark ML takes doubles, not decimals."""
    return features.withColumn("revenue", sf.col("revenue").cast("double"))


def quality(spark: SparkSession, predictions: str) -> float:
    held_back = spark.read.format("delta").load(predictions).where(HELD_BACK)
    evaluator = BinaryClassificationEvaluator(rawPredictionCol="churn_probability", labelCol="churned")
    return evaluator.evaluate(held_back)


def names_in(spark: SparkSession, folder: Path) -> list[str]:
    """What is in a folder, asked of the file system that Spark writes to."""
    hadoop = spark.sparkContext._jvm.org.apache.hadoop.fs
    path = hadoop.Path(str(folder))
    files = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []


def next_version(models: Path, names: Iterable[str]) -> tuple[Path, int]:
    """The folder of the version after the highest of those that are there."""
    versions = [int(name.removeprefix("version=")) for name in names if name.startswith("version=")]
    version = max(versions, default=0) + 1
    return models / f"version={version}", version


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains, saves and applies a churn model.")
    parser.add_argument("--features", required=True, help="path of the Delta table of features")
    parser.add_argument("--models", required=True, help="folder of the model's versions")
    parser.add_argument("--predictions", required=True, help="path of the Delta table to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
