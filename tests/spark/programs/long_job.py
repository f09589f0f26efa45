"""A job that goes on for long: reads, writes, failures, large plans, sessions, views and a stream, round after round.

    python long_job.py FOLDER ROUNDS HEAVY

It says what each round came to, and knows nothing of lineage. With HEAVY `1` each round has a plan of 4,000 expressions and a frame that is
doubled seven times. After each round `heap` gets the bytes of the heap after a collection and, where it is recorded, what the bridge keeps.
"""

import contextlib
import gc
import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession


def main(folder: Path, rounds: int, heavy: bool) -> None:
    spark = SparkSession.builder.appName("long_job").getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    for number in range(rounds):
        print(number, *one_round(spark, folder, number, heavy), flush=True)
        with (folder / "heap").open("a") as file:
            file.write(json.dumps(kept(spark)) + "\n")
    print("over", flush=True)
    spark.stop()


def one_round(spark: SparkSession, folder: Path, number: int, heavy: bool) -> list[int]:
    said = [len(spark.range(many % 7).selectExpr(f"id + {many} AS n").collect()) for many in range(40)]
    table = str(folder / "table")
    spark.range(3).coalesce(1).write.format("delta").mode("overwrite").save(table)
    for many in range(5):
        said.append(failing(spark, many))
        session = spark.newSession()
        session.read.format("delta").load(table).createOrReplaceTempView(f"seen{many}")
        said.append(session.sql(f"SELECT count(*) AS c FROM seen{many} WHERE id > 0").collect()[0].c)
        session.catalog.dropTempView(f"seen{many}")
    streamed(spark, folder, number)
    if heavy:
        wide = spark.range(3).selectExpr(*[f"id + {many} AS c{many}" for many in range(2_000)])
        said.append(len(wide.selectExpr(*[f"c{many} * 2 AS d{many}" for many in range(2_000)]).limit(0).collect()))
        frame = spark.read.format("delta").load(table)
        for many in range(7):
            frame = frame.union(frame.where(f"id <> {many}"))
        said.append(len(frame.limit(0).collect()))
    return said


def failing(spark: SparkSession, many: int) -> int:
    with contextlib.suppress(Exception):
        spark.sql(f"SELECT raise_error('failure {many}') FROM range(2)").collect()
        return 0
    return 1


def streamed(spark: SparkSession, folder: Path, number: int) -> None:
    rows = spark.readStream.format("delta").load(str(folder / "source"))
    writer = rows.writeStream.format("delta").option("checkpointLocation", str(folder / f"checkpoint{number}"))
    writer.trigger(availableNow=True).start(str(folder / "sink")).awaitTermination()


def kept(spark: SparkSession) -> dict[str, object]:
    """The heap after a collection. The bridge is found as a listener of Spark's, without a word of ours in this job."""
    gc.collect()
    jvm = spark.sparkContext._jvm
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty(60_000)
    retained = None
    for module in [module for name, module in sys.modules.items() if name == "spark_lineage.capture.attach"]:
        attachment = module.attachment_of(spark)
        if attachment is not None:
            attachment.bridge.flush(60_000)
            retained = list(attachment.bridge.retained())
    for _ in range(4):
        jvm.java.lang.System.gc()
        jvm.java.lang.Thread.sleep(200)
    runtime = jvm.java.lang.Runtime.getRuntime()
    return {"heap": runtime.totalMemory() - runtime.freeMemory(), "most": runtime.maxMemory(), "retained": retained}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if not (place / "source").exists():
        SparkSession.builder.getOrCreate().range(5).write.format("delta").save(str(place / "source"))
    main(place, int(sys.argv[2]), sys.argv[3] == "1")
