"""A table of PostgreSQL against Delta and Parquet: reconciliation between systems. No JVM is needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import postgres
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from spark_lineage.cli import main
from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.diff import Options, diff
from spark_lineage.snapshot.difference import ColumnDifference, Difference

pytest.importorskip("adbc_driver_postgresql", reason="the driver is not installed: pip install 'spark-lineage[postgres]'")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed; `scripts/setup.sh tests` gets it")
    with postgres.server() as one:
        yield one


@pytest.fixture
def orders(server: postgres.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Every type that is compared, with the same rows as `same_rows`."""
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    monkeypatch.chdir(tmp_path)
    server.run(
        "SET timezone = 'America/New_York'",
        'DROP SCHEMA IF EXISTS "Sales" CASCADE',
        'CREATE SCHEMA "Sales"',
        'CREATE TABLE "Sales"."all orders" (id int PRIMARY KEY, small smallint, big bigint, price numeric(10,2), "exact" numeric, '
        "ratio real, score double precision, yes boolean, code char(5), note varchar(20), free text, raw bytea, day date, "
        "local timestamp, instant timestamptz, list int[], ref uuid, doc jsonb)",
        """INSERT INTO "Sales"."all orders" VALUES (1, 2, 3, 12.30, 1.5, 0.5, 0.1, true, 'ab', 'x', 'ü', '\\x00ff', '2024-02-29', """
        """'2024-01-01 01:02:03.123456', '2024-01-01 01:02:03.5+02', '{1,null}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a":1}')""",
        'INSERT INTO "Sales"."all orders" (id) VALUES (2)',
    )
    return f"postgresql://{postgres.USER}@127.0.0.1:{server.port}/shop?table=%22Sales%22.%22all%20orders%22"


def same_rows() -> pa.Table:
    instant = dt.datetime(2023, 12, 31, 23, 2, 3, 500_000, tzinfo=dt.UTC)
    values: dict[str, tuple[object, pa.DataType]] = {
        "small": (2, pa.int32()), "big": (3, pa.int64()), "price": (Decimal("12.30"), pa.decimal128(20, 2)),
        "exact": (Decimal("1.5"), pa.decimal128(38, 18)), "ratio": (0.5, pa.float64()), "score": (0.1, pa.float64()),
        "yes": (True, pa.bool_()), "code": ("ab", pa.string()), "note": ("x", pa.string()), "free": ("ü", pa.string()),
        "raw": (b"\x00\xff", pa.binary()), "day": (dt.date(2024, 2, 29), pa.date32()),
        "local": (dt.datetime(2024, 1, 1, 1, 2, 3, 123_456), pa.timestamp("us")), "instant": (instant, pa.timestamp("us", "UTC")),
        "list": ([1, None], pa.list_(pa.int32())), "ref": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", pa.string()),
        "doc": ('{"a": 1}', pa.string()),
    }  # fmt: skip
    return pa.table({"id": [1, 2], **{name: pa.array([value, None], kind) for name, (value, kind) in values.items()}})


def told(here: str, there: str, **options: object) -> Difference:
    return diff(None, here, there, Options(**options))  # type: ignore[arg-type]


def test_three_systems_hold_the_same(orders: str) -> None:
    write_deltalake("lake/orders", same_rows())
    pq.write_table(same_rows(), "orders.parquet")
    for other in ("lake/orders@0", "orders.parquet"):
        assert told(orders, other, key=("id",)).differing == (ColumnDifference(column="code", rows=1),), "char(5) pads"
        found = told(orders, other, key=("id",), trim=("all",))
        assert (found.equal, [one.compared for one in found.schema]) == (True, [True] * len(found.schema))
        assert {one.column: one.here for one in found.schema} | {
            "price": "decimal(10,2)",
            "code": "char(5)",
            "ratio": "float",
        } == {one.column: one.here for one in found.schema}
    assert told(orders, orders, brief=True).equal


def test_what_differs_and_by_how_much(server: postgres.Server, orders: str) -> None:
    server.run(
        'INSERT INTO "Sales"."all orders" (id, note) VALUES (3, \'only here\')',
        'UPDATE "Sales"."all orders" SET score = 0.1000001, code = \'abc\' WHERE id = 1',
    )
    pq.write_table(same_rows(), "orders.parquet")
    found = told(orders, "orders.parquet", key=("id",), trim=("all",))
    assert (found.only_here, found.only_there, found.changed, found.here.rows) == (1, 0, 1, 3)
    assert found.differing == (ColumnDifference(column="code", rows=1), ColumnDifference(column="score", rows=1))
    assert [dict(zip(found.columns, row, strict=True))["note"] for row in found.sample_here] == ["only here"]
    near = told(orders, "orders.parquet", key=("id",), trim=("all",), ignored=("code",), float_tolerance=1e-6)
    assert (near.only_here, near.changed, near.within_tolerance) == (1, 0, 1)


def test_the_password_is_shown_nowhere(server: postgres.Server, orders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD")
    place = orders.replace(postgres.USER, f"{postgres.USER}:{postgres.PASSWORD}")
    pq.write_table(same_rows(), "orders.parquet")
    for name, code in ((place, 1), (place.replace("all", "no"), 2), (place.replace("/shop", "/nowhere"), 2)):
        result = CliRunner().invoke(main, ["snapshot", "diff", name, "orders.parquet", "--json"])
        assert result.exit_code == code, result.output
        assert postgres.PASSWORD not in result.output
        assert "Traceback" not in result.output
        assert f"{postgres.USER}@127.0.0.1" in result.output


def test_a_table_on_the_search_path_and_a_view(server: postgres.Server, orders: str) -> None:
    server.run(
        "CREATE TABLE IF NOT EXISTS plain (id int, cost money, odd numeric)",
        "TRUNCATE plain",
        "INSERT INTO plain VALUES (1, 1, 1), (2, 1, 2)",
        "CREATE OR REPLACE VIEW cast_plain AS SELECT id, cost::numeric(12,2) AS cost FROM plain",
    )
    place = orders.partition("?")[0]
    pq.write_table(pa.table({"id": [1, 2], "cost": pa.array([1, 1], pa.decimal128(12, 2))}), "plain.parquet")
    assert told(f"{place}?table=cast_plain", "plain.parquet").equal
    with pytest.raises(SnapshotError, match=r"column cost of .* is of type money, which is not compared: cast it in a view"):
        told(f"{place}?table=public.plain", "plain.parquet")
    assert told(f"{place}?table=public.plain&application_name=diff", "plain.parquet", ignored=("cost", "odd")).equal
    server.run("UPDATE plain SET odd = 'NaN'")
    with pytest.raises(SnapshotError, match=r"column odd of .* has a value that decimal\(38,18\) does not hold"):
        told(f"{place}?table=plain", f"{place}?table=plain", ignored=("cost",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("all%20orders", "none"), "has no table Sales.none that can be seen"),
        (("/shop", "/nowhere"), 'cannot be reached: .*database "nowhere" does not exist'),
        (("?table=", "?tables="), "does not say which table"),
    ],
)
def test_what_is_not_there(orders: str, change: tuple[str, str], words: str) -> None:
    pq.write_table(same_rows(), "orders.parquet")
    with pytest.raises(SnapshotError, match=words):
        told("orders.parquet", orders.replace(*change))


def test_nobody_listens(orders: str, server: postgres.Server) -> None:
    with pytest.raises(SnapshotError, match=r"cannot be reached: .*refused"):
        told(orders, orders.replace(f":{server.port}/", ":1/"))


def test_one_state_of_the_table_is_read(server: postgres.Server, orders: str) -> None:
    from spark_lineage.snapshot.postgres import PostgresSide

    side = PostgresSide(orders)
    try:
        server.run('DELETE FROM "Sales"."all orders"')
        for _ in range(2):
            assert sum(batch.num_rows for batch in side.batches(side.columns, lambda _: None)) == 2
    finally:
        side.close()
