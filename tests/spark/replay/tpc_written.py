"""Writes what each query of TPC-H and TPC-DS gives to a Delta table, its rows summed in the same pass; as a process of its own.

``python tpc_written.py SETTINGS.json WORK [NAME ...]``, as tpc.py: the tables are WORK/written/NAME, expected.json has for each the rows
of the query and those that are in the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).parent)]

import tpc  # noqa: E402


def main(settings: str, work: str, *names: str) -> None:
    from spark_lineage.capture.attach import attach

    spark = tpc.session(settings, work)
    attachment = attach(
        spark, inbox=f"{work}/inbox", ingest="none", executables="off", strict=True, snapshots_inline=True, plan_max_seconds=60
    )
    assert attachment is not None
    expected: dict[str, list[Any]] = {}
    for name in names or tpc.QUERIES:
        spark.catalog.setCurrentDatabase(name.split()[0])
        query = spark.sql(tpc.QUERIES[name])
        frame = query.toDF(*(f"c{number}" for number in range(len(query.columns))))  # two may have one name
        place = f"{work}/written/{name.replace(' ', '-')}"
        frame.write.format("delta").save(place)
        expected[name] = [tpc.plain(rows.collect()) for rows in (frame, spark.read.format("delta").load(place))]
        assert attachment.flush(120)
    Path(work, "expected.json").write_text(json.dumps(expected))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
