"""Writes a folder of Parquet that is parted by a time, in a session without a time zone of its own: that of the machine holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(settings: str, work: str) -> None:
    from pyspark.sql import SparkSession

    from spark_lineage.capture.attach import attach, detach

    builder = SparkSession.builder.appName("zone")
    for key, value in json.loads(Path(settings).read_text()).items():
        if key != "spark.sql.session.timeZone":
            builder = builder.config(key, value)
    spark = builder.config("spark.sql.warehouse.dir", f"{work}/warehouse").getOrCreate()
    spark.range(0, 48, 1, 1).write.format("delta").save(f"{work}/source")
    attachment = attach(spark, inbox=f"{work}/inbox", ingest="none", strict=True)
    assert attachment is not None
    times = "timestamp'2020-01-01' + make_interval(0, 0, 0, 0, id)"
    rows = spark.read.format("delta").load(f"{work}/source").selectExpr("id", f"date_trunc('DAY', {times}) AS day")
    rows.write.partitionBy("day").parquet(f"{work}/folders")
    assert attachment.flush(120)
    detach(spark)
    Path(work, "expected.json").write_text("{}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
