"""Trains two models, one of Spark ML and one that Spark does not know; in another application, scores with both."""

import pickle
import sys
from pathlib import Path

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

import spark_lineage


def train(spark: SparkSession, home: Path) -> None:
    spark.range(40).selectExpr(
        "id AS user_id", "CAST(id % 7 AS DOUBLE) AS visits", "CAST(id * 3 % 11 AS DOUBLE) AS spent",
        "CAST(id % 2 AS DOUBLE) AS churned", "concat('c', id % 3) AS country",
    ).write.format("delta").save(f"{home}/features")  # fmt: skip
    features = spark.read.format("delta").load(f"{home}/features")
    stages = [
        VectorAssembler(inputCols=["visits", "spent"], outputCol="assembled"),
        LogisticRegression(featuresCol="assembled", labelCol="churned", maxIter=2),
    ]
    spark.range(3).write.format("delta").save(f"{home}/unrelated")
    spark.read.format("delta").load(f"{home}/unrelated").collect()
    Pipeline(stages=stages).fit(features.where("user_id % 5 > 0")).save(f"{home}/churn_model")
    rows = spark_lineage.trained(features.select("spent", "churned"), model=home / "limit.pkl").toPandas()
    (home / "limit.pkl").write_bytes(pickle.dumps({"limit": float(rows["spent"].mean())}))


def score(spark: SparkSession, home: Path) -> None:
    features = spark.read.format("delta").load(f"{home}/features")
    scored = PipelineModel.load(f"{home}/churn_model").transform(features)
    scored.select("user_id", "country", "prediction").write.format("delta").save(f"{home}/predictions")
    limit = pickle.loads((home / "limit.pkl").read_bytes())["limit"]
    judged = features.select("user_id", (sf.col("visits") > limit).alias("keen"))
    spark_lineage.scored(judged, model=home / "limit.pkl", columns=["keen"]).write.format("delta").save(f"{home}/judged")


def main() -> None:
    step, home = sys.argv[1:]
    spark = SparkSession.builder.appName(step).getOrCreate()
    {"train": train, "score": score}[step](spark, Path(home))
    spark.stop()


main()
