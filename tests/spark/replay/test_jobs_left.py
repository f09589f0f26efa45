"""What a job that is run again leaves otherwise, though it writes the same rows; and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_jobs import Lake

from spark_lineage.replay.written import reading
from spark_lineage.replay.written_files import as_text, has_header, rows_of_files

LEFT = "what the job left of the table after this write is not the same: "
OTHERWISE = {
    "headed": "its files began with a header then, and have none now",
    "coded": "30 rows changed (in code)",
    "formatted": "it was written as parquet then, and as orc now",
    "evolved": "29 rows changed (in b)",
    "deleted": "the job deleted it after it had written it",
    "spelled": "it has other columns: id is spelled Id",
    "restored": f"{LEFT}30 rows missing; 3 rows unexpected",
    "emptied": f"{LEFT}30 rows missing",
    "dropped": "the job deleted the table after it had written it",
    "again": "the job dropped the table after it had written it, and made another one in its place",
    "bystander": "the job deleted it in the replay alone",
}


@pytest.mark.soak
def test_what_is_left(spark: Any, spark_settings: dict[str, str], tmp_path: Path) -> None:
    lake = Lake(spark, spark_settings, tmp_path)
    spark.range(500, 503).write.format("delta").save(f"{lake.path}/restored")
    spark.sql("SELECT id, id % 2 AS p FROM range(10)").write.format("delta").partitionBy("p").save(f"{lake.path}/parts")
    more = spark.sql("SELECT id + 100 AS id, id % 2 AS p FROM range(4)")
    more.write.format("delta").mode("append").save(f"{lake.path}/parts")
    spark.range(3).write.parquet(f"{lake.path}/bystander")
    run = lake.record("leaving_job.py")
    code, verdicts, err = lake.replay(run)
    assert (code, {one["verdict"] for one in verdicts}) == (0, {"identical"}), (told(verdicts), err[-3000:])
    code, verdicts, err = lake.replay(run, "--", *lake.submit("leaving_job.py", "new"))
    found = told(verdicts)
    assert code == 1, err[-3000:]
    assert {found.pop(name) for name in ("parts", "packed", "copied")} == {("identical", None)}
    assert found == {name: ("different", reason) for name, reason in OTHERWISE.items()}
    for one in verdicts:
        if one["verdict"] == "different" and not one["name"].endswith("bystander"):
            assert "changed code: its arguments were " in " ".join(one["causes"]), one["causes"]
    code, verdicts, err = lake.replay(run, "--", *lake.submit("leaving_job.py", "failing"))
    said = "the job ended with exit code 3; the last that it said is: the quota of the day is used up"
    assert (code, {(one["verdict"], one["reason"]) for one in verdicts}) == (2, {("identical", said)}), err[-3000:]
    assert {one["job_exit_code"] for one in verdicts} == {3}


@pytest.mark.soak
def test_the_zone_of_the_machine(spark: Any, spark_settings: dict[str, str], tmp_path: Path) -> None:
    """A job that sets none has it from the machine, and the replay may be on another one."""
    settings = {key: value for key, value in spark_settings.items() if key != "spark.sql.session.timeZone"}
    lake = Lake(spark, settings, tmp_path)
    run = lake.record("nightly_job.py", "zoned", TZ="Asia/Tokyo")
    hours = {row["id"]: row["hour"] for row in spark.read.format("delta").load(f"{lake.path}/zoned").collect()}
    assert hours[0] == "09"
    code, verdicts, err = lake.replay(run)
    assert (code, told(verdicts)["zoned"]) == (0, ("identical", None)), (told(verdicts), err[-3000:])


def told(verdicts: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    return {one["name"].rsplit("/", 1)[-1]: (one["verdict"], one["reason"]) for one in verdicts}


@pytest.mark.parametrize("source", ["parquet", "orc", "avro"])
def test_folders_with_files_of_several_schemas(source: str, spark: Any, tmp_path: Path) -> None:
    """All columns are there, whichever file is the first."""
    for order in (("a", "b"), ("b", "a")):
        folder = tmp_path / "".join(order)
        for column in order:
            rows = spark.sql(f"SELECT 1 AS id, 2 AS {column}").coalesce(1)
            rows.write.format(source).save(f"{folder}/{len(list(folder.glob('*')))}-{column}")
        for number, path in enumerate(sorted(folder.glob("*/part-*"))):
            path.rename(folder / f"{number}-{path.name}")
        for part in folder.glob("*-[ab]"):
            for path in part.iterdir():
                path.unlink()
            part.rmdir()
        rows = rows_of_files(spark, source, str(folder), {})
        assert sorted(rows.columns) == ["a", "b", "id"]
        assert {(row["a"], row["b"]) for row in rows.collect()} == {(2, None), (None, 2)}


def test_how_partitions_are_spelled_and_headers(spark: Any, tmp_path: Path) -> None:
    session = reading(spark)
    spark.sql("SELECT 1 AS id, '01' AS code").write.partitionBy("code").parquet(f"{tmp_path}/coded")
    as_text(session, True)
    assert rows_of_files(session, "parquet", f"{tmp_path}/coded", {}).first()["code"] == "01"  # type: ignore[index]
    command = {"options": {"header": "true"}, "outputColumnNames": ["id"]}
    for headed in (True, False):
        spark.range(3).write.option("header", headed).csv(f"{tmp_path}/{headed}")
        assert has_header(session, "csv", f"{tmp_path}/{headed}", command) is headed
