"""UPDATE, DELETE and MERGE as queries: over the table as it was, they give the table as it is. Written ones and generated ones."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.errors import PySparkException

from spark_lineage.capture.attach import attach, detach
from spark_lineage.errors import ExecutableError
from spark_lineage.ingest import ingest
from spark_lineage.replay.executables import Found, find, restore
from spark_lineage.store.tables import Store

KEPT = "id BIGINT, k INT, s STRING, d DECIMAL(9,2)"


@dataclass
class Table:
    """A table, and the versions that commands made of it."""

    spark: Any
    root: Path
    properties: str = ""
    generated: str = ""

    @property
    def name(self) -> str:
        return f"delta.`{self.root}/table`"

    def rows(self, version: int) -> list[Any]:
        return list(self.spark.read.format("delta").option("versionAsOf", version).load(f"{self.root}/table").collect())

    def newest(self) -> int:
        return int(self.spark.sql(f"DESCRIBE HISTORY {self.name} LIMIT 1").first()["version"])

    def make(self) -> None:
        more = f", g DECIMAL(11,2) GENERATED ALWAYS AS ({self.generated})" if self.generated else ""
        self.spark.sql(f"CREATE TABLE {self.name} ({KEPT}{more}) USING delta {self.properties}")
        self.spark.sql(
            f"INSERT INTO {self.name} (id, k, s, d) SELECT id, IF(id % 4 = 0, NULL, id % 3), CHAR(97 + id % 5), id / 2 FROM range(0, 20, 1, 3)"
        )


Recording = Callable[[Table, list[str]], list[tuple[str, Found, int]]]


@pytest.fixture
def record(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Runs commands on a table; gives those that made a version, with the recorded plan and that version."""
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))

    def recorded(table: Table, commands: list[str]) -> list[tuple[str, Found, int]]:
        table.make()
        attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, job_name="changes")
        assert attachment is not None
        versions = {}
        try:
            for command in commands:
                before = table.newest()
                try:
                    spark.sql(command.format(t=table.name))
                except PySparkException as error:  # as Delta refuses two source rows that change one
                    if "DELTA_MULTIPLE_SOURCE_ROW" not in str(error):
                        raise
                if table.newest() > before:
                    versions[table.newest()] = command
            assert attachment.flush(60)
        finally:
            detach(spark)
        ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
        outputs = Store.open(str(tmp_path / "store")).arrow("outputs", ["execution_id", "delta_version"]).to_pylist()
        by_version = {row["delta_version"]: row["execution_id"] for row in outputs}
        return [
            (command, find(str(tmp_path / "store"), by_version[version], key=str(tmp_path / "key")), version)
            for version, command in versions.items()
        ]

    return recorded


def holds(table: Table, command: str, found: Found, version: int) -> None:
    before, after = Counter(table.rows(version - 1)), Counter(table.rows(version))
    whole = restore(table.spark, found, gives="table")
    columns = table.spark.read.format("delta").option("versionAsOf", version).load(f"{table.root}/table").columns
    assert whole.columns == columns, command
    if columns != table.spark.read.format("delta").option("versionAsOf", version - 1).load(f"{table.root}/table").columns:
        before = Counter()  # rows of other columns are other rows
    assert Counter(whole.collect()) == after, command
    changed = Counter(restore(table.spark, found, gives="changed").collect())
    assert changed - after == Counter(), f"{command}: rows that the table does not have"
    if before:
        assert (after - before) - changed == Counter(), f"{command}: rows that it made are left out"


WRITTEN = (
    "UPDATE {t} SET k = k + 1, s = upper(s) WHERE id < 5",
    "UPDATE {t} SET d = d * 2",
    "UPDATE {t} SET s = NULL WHERE k = 1",
    "DELETE FROM {t} WHERE k = 2 AND id > 10",
    "DELETE FROM {t} WHERE s > 'd'",
    "MERGE INTO {t} t USING (SELECT id * 3 AS id, id AS v FROM range(12)) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET k = s.v WHEN NOT MATCHED THEN INSERT (id, s) VALUES (s.id, 'new')",
    "MERGE INTO {t} t USING (SELECT id * 2 AS id, id AS v FROM range(16)) s ON t.id = s.id "
    "WHEN MATCHED AND s.v > 12 THEN DELETE WHEN MATCHED AND t.k IS NULL THEN UPDATE SET s = concat(t.s, s.v) WHEN MATCHED AND s.v < 3 THEN UPDATE SET d = 0 "
    "WHEN NOT MATCHED AND s.v < 15 THEN INSERT (id, k, s, d) VALUES (s.id, s.v, 'other', 1.5) "
    "WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN DELETE WHEN NOT MATCHED BY SOURCE AND t.k > 0 THEN UPDATE SET s = 'gone'",
    "MERGE INTO {t} t USING (SELECT k, count(*) AS n, max(id) AS id FROM {t} GROUP BY k) s ON t.k <=> s.k AND t.id = s.id WHEN MATCHED THEN UPDATE SET d = s.n",
    "MERGE INTO {t} t USING (SELECT 1 AS id UNION ALL SELECT 1 UNION ALL SELECT 6) s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "MERGE INTO {t} t USING (SELECT id FROM range(100, 104)) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
    "MERGE WITH SCHEMA EVOLUTION INTO {t} t USING (SELECT id, id * 10 AS added FROM range(98, 106)) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    "DELETE FROM {t}",
)


@pytest.mark.soak
@pytest.mark.parametrize("vectors", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_the_table_after_each_command(record: Recording, spark: Any, tmp_path: Path, vectors: bool) -> None:
    table = Table(spark, tmp_path, f"TBLPROPERTIES ('delta.enableDeletionVectors' = {str(vectors).lower()})")
    made = record(table, list(WRITTEN))
    assert [command for command, _, _ in made] == list(WRITTEN)
    for command, found, version in made:
        holds(table, command, found, version)


@pytest.mark.soak
def test_columns_that_are_generated(record: Recording, spark: Any, tmp_path: Path) -> None:
    """Commands compute them again: what they set is not all that they change."""
    table = Table(spark, tmp_path, generated="d * 2")
    made = record(
        table,
        [
            "UPDATE {t} SET d = id + 0.25 WHERE id IN (1, 2)",
            "MERGE INTO {t} t USING (SELECT id FROM range(18, 22)) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET d = 7 WHEN NOT MATCHED THEN INSERT (id, d) VALUES (s.id, 8)",
        ],
    )
    assert len(made) == 2
    for command, found, version in made:
        holds(table, command, found, version)


def test_a_query_has_no_table_after_it(record: Recording, spark: Any, tmp_path: Path) -> None:
    table = Table(spark, tmp_path)
    ((_, found, _),) = record(table, ["INSERT INTO {t} VALUES (1, 2, 'x', 3)"])
    with pytest.raises(ExecutableError, match="AppendData makes of a table's rows is not known"):
        restore(spark, found, gives="table")


def generated(chance: Random) -> str:
    """A command that Delta takes, or refuses for two source rows that meet one row."""
    conditions = ["{}.id % 2 = 0", "{}.k > 0", "{}.s = 'a'", "{}.d < 4", "{}.k IS NULL", "{}.id BETWEEN 3 AND 11"]
    sets = ["k = {}", "s = {}", "d = {}", "k = {}, d = {}", "s = {}, k = {}"]

    def condition(*sides: str) -> str:
        text = " AND ".join(chance.choice(conditions).format(chance.choice(sides)) for _ in range(chance.choice((1, 1, 2))))
        return f"NOT ({text})" if chance.random() < 0.2 else text

    def assigned(*sides: str) -> str:
        text = chance.choice(sets)
        values = {"k": ["{}.k + 1", "7", "NULL", "{}.id"], "s": ["upper({}.s)", "'z'", "NULL"], "d": ["{}.d * 2", "{}.id / 4"]}
        return ", ".join(
            f"{name} = {chance.choice(values[name]).format(chance.choice(sides))}"
            for name in (part.split(" = ")[0] for part in text.split(", "))
        )

    kind = chance.random()
    if kind < 0.2:
        return f"UPDATE {{t}} t SET {assigned('t')} WHERE {condition('t')}"
    if kind < 0.3:
        return f"DELETE FROM {{t}} t WHERE {condition('t')}"

    def clauses(head: str, sides: tuple[str, ...], actions: list[Callable[[], str]]) -> list[str]:
        number = chance.choice((0, 1, 1, 2, 3))
        texts = [f"{head} AND {condition(*sides)} THEN {chance.choice(actions)()}" for _ in range(number)]
        if texts and chance.random() < 0.5:
            texts[-1] = f"{head} THEN {chance.choice(actions)()}"
        return texts

    def insert() -> str:
        return chance.choice(["INSERT (id, k, s, d) VALUES (s.id, s.k, 'i', s.d)", "INSERT (id) VALUES (s.id)", "INSERT *"])

    when = clauses(
        "WHEN MATCHED", ("t", "s"), [lambda: "DELETE", lambda: f"UPDATE SET {assigned('t', 's')}", lambda: "UPDATE SET *"]
    )
    when += clauses("WHEN NOT MATCHED", ("s",), [insert])
    when += clauses("WHEN NOT MATCHED BY SOURCE", ("t",), [lambda: "DELETE", lambda: f"UPDATE SET {assigned('t')}"])
    if not when:
        when = ["WHEN MATCHED THEN DELETE"]
    first = chance.randrange(-5, 15)
    some = f"SELECT id, CAST(id % 4 AS INT) AS k, CHAR(97 + id % 3) AS s, CAST(id AS DECIMAL(9,2)) AS d FROM range({first}, {first + 12})"
    source = chance.choice(
        [some, "SELECT max(id) AS id, k, min(s) AS s, sum(d) AS d FROM {t} GROUP BY k", f"{some} WHERE id % 3 <> 0"]
    )
    on = chance.choice(["t.id = s.id", "t.id = s.id", "t.id = s.id AND t.k > 0", "t.k = s.k AND t.id = s.id"])
    return f"MERGE INTO {{t}} t USING ({source}) s ON {on} {' '.join(when)}"


def examine(record: Recording, spark: Any, folder: Path, seed: int, commands: int) -> int:
    chance = Random(seed)
    table = Table(spark, folder, f"TBLPROPERTIES ('delta.enableDeletionVectors' = {chance.choice(('true', 'false'))})")
    made = record(table, [generated(chance) for _ in range(commands)])
    for command, found, version in made:
        holds(table, command, found, version)
    return len(made)


@pytest.mark.soak
def test_generated_commands(record: Recording, spark: Any, tmp_path: Path) -> None:
    assert examine(record, spark, tmp_path, 7, 5) >= 3


@pytest.mark.soak
@pytest.mark.parametrize("number", range(int(os.environ.get("SPARK_LINEAGE_REENACTMENTS", 10))))
def test_many_generated_commands(record: Recording, spark: Any, tmp_path: Path, number: int) -> None:
    """New ones each time; the seed is printed."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    assert examine(record, spark, tmp_path, seed, 20) >= 8
