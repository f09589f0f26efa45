"""CSV, JSON and text as they are written with options in any spelling, in other encodings, and with headers that no plan tells of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.errors import ExecutableError
from spark_lineage.ingest import ingest
from spark_lineage.replay.line_columns import without_headers
from spark_lineage.replay.written_files import rows_of_files

pytestmark = pytest.mark.soak


def write(spark: Any, root: Path) -> None:
    rows = spark.sql("SELECT id, 's' || id % 5 AS s, if(id % 2 = 0, 'café', 'a\\rb') AS w FROM range(0, 20, 1, 2)")
    plain = rows.select("id", "s")
    plain.write.option("HEADER", "true").csv(f"{root}/header")
    plain.write.option("HEADER", "true").option("SEP", "|").option("LINESEP", "\r\n").csv(f"{root}/separated")
    for name, encoding in (("latin", "iso-8859-1"), ("wide", "UTF-16LE"), ("marked", "UTF-16"), ("poor", "US-ASCII")):
        rows.write.option("encoding", encoding).option("header", True).csv(f"{root}/csv_{name}")
        rows.write.option("CharSet", encoding).json(f"{root}/json_{name}")
    rows.select("w").write.option("encoding", "UTF-16LE").text(f"{root}/text")
    rows.select("w").write.option("encoding", "UTF-16LE").option("lineSep", "|").text(f"{root}/text_separated")


def test_options_in_any_spelling_and_encodings(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("SPARK_LINEAGE_STORE", str(tmp_path / "store"))
    recorded = recorded_of(spark, tmp_path, "lines", write)
    found = {str(one.name).rsplit("/", 1)[-1]: one for one in spark_lineage.open(recorded.store).replay("last", spark=spark)}
    refused = {name: str(found.pop(name).reason) for name in ("csv_marked", "json_marked", "csv_poor", "json_poor")}
    assert {name: (one.verdict, one.rows) for name, one in found.items() if one.verdict != "identical"} == {}
    assert len(found) == 8
    for name in ("csv_marked", "json_marked"):
        assert refused[name].endswith(f"is {name[: name.index('_')]} in the encoding UTF-16, whose lines are not compared")
    for name in ("csv_poor", "json_poor"):  # it has no é: the writer put a question mark there
        assert "cannot be computed" in refused[name], refused[name]


def test_headers_that_no_plan_tells_of(spark: Any, tmp_path: Path) -> None:
    """The same rows in another number of files; without a header in one of the folders; and a header's text among the rows."""
    rows = spark.sql("SELECT id, 's' || id % 5 AS `the name` FROM range(0, 20, 1, 4)")
    for name, options in (
        ("four", {"header": "true"}), ("quoted", {"header": "true", "quoteAll": "true"}), ("bare", {}), ("other", {"header": "true", "sep": "\t"})
    ):  # fmt: skip
        rows.write.options(**options).csv(f"{tmp_path}/{name}")
    rows.coalesce(1).write.option("header", True).csv(f"{tmp_path}/one")
    rows.coalesce(1).write.options(header=True, sep="\t").csv(f"{tmp_path}/one_other")

    def lines(one: str, other: str) -> list[int]:
        frames = (rows_of_files(spark, "csv", f"{tmp_path}/{name}", {}) for name in (one, other))
        return [frame.count() for frame in without_headers(*frames, ["id", "the name"])]

    assert lines("four", "one") == [20, 20]
    assert lines("other", "one_other") == [20, 20]
    assert lines("quoted", "one") == [20, 20]
    assert lines("four", "bare") == [24, 20]
    assert lines("bare", "one") == [20, 21]


@pytest.fixture(scope="module")
def unplanned(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """What was recorded with its statement alone."""
    root = tmp_path_factory.mktemp("unplanned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        spark.range(0, 6, 1, 1).write.format("delta").save(f"{root}/source")
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, executables="off", job_name="sql")
        assert attachment is not None
        for name, options in (("plain", ""), ("parted", "OPTIONS (header 'true', sep '|')")):
            spark.sql(
                f"CREATE TABLE {name} USING csv {options} LOCATION '{root}/{name}' AS SELECT id, id * 2 AS twice FROM delta.`{root}/source`"
            )
        attachment.flush(60)
        detach(spark)
        ingest(str(root / "inbox"), str(root / "store"))
        yield Recorded(spark, root)
    for name in ("plain", "parted"):
        spark.sql(f"DROP TABLE {name}")


def test_lines_of_a_statement(unplanned: Recorded) -> None:
    """Their options are not recorded: that they differ proves nothing."""
    found = {
        str(one.name).rsplit("/", 1)[-1]: one
        for one in spark_lineage.open(unplanned.store).replay("last", spark=unplanned.spark)
    }
    assert found["plain"].verdict == "identical", found["plain"].reason
    assert found["parted"].verdict == "not_replayable", found["parted"]
    assert "how they were written (a header, a separator) is not recorded" in str(found["parted"].reason)


def test_an_encoding_that_is_not_known(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(ExecutableError, match="in the encoding windows-1252, whose lines are not compared"):
        rows_of_files(spark, "json", str(tmp_path), {"options": {"Encoding": "windows-1252"}})
