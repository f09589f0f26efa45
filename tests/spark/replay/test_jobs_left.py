"""What a job that is run again leaves otherwise, though it writes the same rows; and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spark_lineage.replay.written_files import rows_of_files


@pytest.mark.parametrize("source", ["parquet", "orc"])
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
