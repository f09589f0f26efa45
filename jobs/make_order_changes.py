"""Makes one round of changes to TPC-H's orders: the same files for the same arguments.

    python jobs/make_order_changes.py --tpch demo/data/tpch --output demo/data/order_changes --round 2

Writes `orders/round=2/changes.parquet` and `lineitem/round=2/changes.parquet` below the output folder. Orders carry a column `change`:
`update` (open ones are finished, status F, or cancelled, status C) or `insert` (new ones, with keys above all that were).
Lineitems are those of the new orders.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FINISHED, CANCELLED, INSERTED = 0.020, 0.004, 0.008
KEYS_A_ROUND = 10_000_000


def main() -> None:
    arguments = parse_arguments()
    orders, lineitem = changes(Path(arguments.tpch), arguments.round)
    for name, table in (("orders", orders), ("lineitem", lineitem)):
        write(table, Path(arguments.output) / name / f"round={arguments.round}")
    print(f"round {arguments.round}: {orders.num_rows} changed orders, {lineitem.num_rows} new lineitems")


def changes(tpch: Path, number: int) -> tuple[pa.Table, pa.Table]:
    """(changed orders, new lineitems) of a round, drawn from the original orders."""
    orders = read(tpch / "orders.parquet")
    random = np.random.default_rng([number, orders.num_rows])
    share = random.random(orders.num_rows)
    is_open = pc.equal(orders["o_orderstatus"], "O").to_numpy()
    finished = orders.filter(pa.array((share < FINISHED) & is_open))
    cancelled = orders.filter(pa.array((share >= FINISHED) & (share < FINISHED + CANCELLED) & is_open))
    copied = orders.filter(pa.array(share > 1 - INSERTED))
    inserted = set_column(copied, "o_orderkey", pc.add(copied["o_orderkey"], number * KEYS_A_ROUND))
    changed = pa.concat_tables(
        (
            with_change(with_status(finished, "F"), "update"),
            with_change(with_status(cancelled, "C"), "update"),
            with_change(with_status(inserted, "O"), "insert"),
        )
    )
    return changed, lineitems_of(tpch, copied["o_orderkey"], number)


def lineitems_of(tpch: Path, order_keys: pa.ChunkedArray, number: int) -> pa.Table:
    items = read(tpch / "lineitem.parquet")
    items = items.filter(pc.is_in(items["l_orderkey"], value_set=order_keys.combine_chunks()))
    return set_column(items, "l_orderkey", pc.add(items["l_orderkey"], number * KEYS_A_ROUND))


def with_status(orders: pa.Table, status: str) -> pa.Table:
    return set_column(orders, "o_orderstatus", pa.array([status] * orders.num_rows, pa.string()))


def with_change(orders: pa.Table, change: str) -> pa.Table:
    return orders.append_column("change", pa.array([change] * orders.num_rows, pa.string()))


def set_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def read(path: Path) -> pa.Table:
    """The generator writes string views and field ids, which not every kernel and reader knows."""
    table = pq.read_table(path)
    plain = [(field.name, pa.string() if field.type == pa.string_view() else field.type) for field in table.schema]
    return table.cast(pa.schema(plain))


def write(table: pa.Table, folder: Path) -> None:
    """Writes beside the target and renames, so that a reader never sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".changes.parquet"
    pq.write_table(table, unfinished)
    unfinished.rename(folder / "changes.parquet")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes deterministic changes to TPC-H's orders.")
    parser.add_argument("--tpch", required=True, help="folder of TPC-H's tables as Parquet")
    parser.add_argument("--output", required=True, help="folder that the changes are put into")
    parser.add_argument("--round", type=int, required=True, help="2 or more: what the changes are drawn by")
    return parser.parse_args()


if __name__ == "__main__":
    main()
