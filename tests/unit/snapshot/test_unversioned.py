"""Checksums of Parquet and ORC files without versions, under the fingerprint of their listing."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake
from pyarrow import orc

import spark_lineage
from spark_lineage.cli import main
from spark_lineage.errors import SnapshotError
from spark_lineage.lineage.limits import Limits
from spark_lineage.model import Dataset, Input, Output
from spark_lineage.snapshot import unversioned
from spark_lineage.snapshot.deferred import due, take_wanted
from spark_lineage.snapshot.files import FilesSide
from spark_lineage.snapshot.policy import Policy
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.snapshot.unversioned import recorded_files, take_any, take_files, verify_any
from spark_lineage.store.listing import fingerprint_of, listed, listing_of
from spark_lineage.store.tables import Store

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["a", "b", None]})
OUTPUTS = Policy("outputs", Limits(), 10**9)
ALL = Policy("all", Limits(), 10**9)
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "lake" / "orders"
    place.mkdir(parents=True)
    pq.write_table(ROWS, place / "part-0.parquet")
    (place / "_SUCCESS").touch()
    return place


def fingerprint(place: Path, everything: bool = False) -> str:
    return fingerprint_of(listed(place, everything))


def in_tables(
    store: Store, kind: type[Input] | type[Output], place: Path, told: str | None, execution: str = "run-1:1"
) -> None:
    """A row of `inputs` or `outputs`, as the ingester makes it of files."""
    row = kind(
        execution_id=execution, run_id="run-1", job_name="job", event_time=AT, namespace="file", name=str(place), fingerprint=told,
        event_date=AT.date(),
    )  # fmt: skip
    store.append("outputs" if kind is Output else "inputs", [row], None)
    store.append(
        "datasets",
        [
            Dataset(
                namespace="file", name=str(place), format="parquet", location=f"file:{place}", first_seen_at=AT, last_seen_at=AT
            )
        ],
        None,
    )


def test_the_sum_is_that_of_the_same_rows_in_delta(store: Store, folder: Path, tmp_path: Path) -> None:
    delta = str(tmp_path / "lake" / "delta")
    write_deltalake(delta, ROWS)
    taken = take_files(store, str(folder))
    assert (taken.checksum, taken.row_count) == (take(store, delta).checksum, 3)
    assert (taken.fingerprint, taken.table_id, taken.delta_version, taken.files) == (fingerprint(folder), None, None, 1)
    orc_file = tmp_path / "orders.orc"
    orc.write_table(ROWS, orc_file)
    assert take_any(store, str(orc_file)).checksum == taken.checksum


def test_partition_columns_count(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "parts"
    pq.write_to_dataset(ROWS.append_column("day", pa.array([7, 7, 8], pa.int32())), place, partition_cols=["day"])
    whole = tmp_path / "whole.parquet"
    pq.write_table(ROWS.append_column("day", pa.array([7, 7, 8], pa.int32())), whole)
    assert take_files(store, str(place)).checksum == take_files(store, str(whole)).checksum


def test_the_same_listing_is_not_read_again(store: Store, folder: Path) -> None:
    first = take_files(store, str(folder))
    file = folder / "part-0.parquet"
    told = file.stat()
    pq.write_table(ROWS.set_column(1, "name", [["a", "b", "c"]]), file)
    assert take_files(store, str(folder)).checksum != first.checksum
    pq.write_table(ROWS, file)
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    again = take_files(store, str(folder))
    assert again.computed_at == first.computed_at
    assert len(snapshots(store)) == 2


def test_other_files_are_not_taken_for_those_recorded(store: Store, folder: Path) -> None:
    recorded = fingerprint(folder)
    pq.write_table(ROWS, folder / "part-1.parquet")
    with pytest.raises(SnapshotError, match="not those any more that were recorded"):
        take_files(store, str(folder), fingerprint=recorded)
    (folder / "part-1.parquet").unlink()
    (folder / "old").mkdir()
    pq.write_table(ROWS, folder / "old" / "part-0.parquet")
    assert fingerprint(folder) == recorded
    with pytest.raises(SnapshotError, match="folders within that were not among"):
        take_files(store, str(folder), fingerprint=recorded)
    assert take_files(store, str(folder)).row_count == 6
    assert take_files(store, str(folder), fingerprint=fingerprint(folder, True)).row_count == 6
    assert len(snapshots(store)) == 1


def test_a_file_that_is_rewritten_after_the_look_at_the_listing(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(place: str) -> FilesSide:
        pq.write_table(ROWS.slice(1), folder / "part-0.parquet")
        return FilesSide(place)

    monkeypatch.setattr(unversioned, "FilesSide", late)
    with pytest.raises(SnapshotError, match="not those any more that were recorded"):
        take_files(store, str(folder), fingerprint=fingerprint(folder))
    assert snapshots(store) == []


def test_what_is_hidden_is_so_for_both_listings(store: Store, folder: Path) -> None:
    (folder / "part-1.parquet._COPYING_").write_bytes((folder / "part-0.parquet").read_bytes())
    taken = take_files(store, str(folder))
    assert (taken.row_count, taken.fingerprint) == (3, fingerprint(folder))


def test_links_to_nothing_are_not_there(store: Store, folder: Path) -> None:
    taken = take_files(store, str(folder))
    (folder / "part-1.parquet").symlink_to("/nonexistent/x")
    assert take_files(store, str(folder), fingerprint=taken.fingerprint).computed_at == taken.computed_at
    assert take_files(store, str(folder)).computed_at == taken.computed_at


def test_a_file_that_goes_between_the_walk_and_the_look_at_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def slow(root: Path) -> Any:
        for one in list(walk(root)):
            (folder / "part-1.parquet").unlink(missing_ok=True)
            yield one

    before = listed(folder, False)
    pq.write_table(ROWS, folder / "part-1.parquet")
    monkeypatch.setattr(os, "walk", slow)
    assert listed(folder, False) == before


def test_what_cannot_be_listed(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fingerprint(folder)

    def denied(*_: object) -> Any:
        raise PermissionError(13, "Permission denied")

    for patched in ("listed", "listing_of"):
        monkeypatch.setattr(unversioned, patched, denied)
        with pytest.raises(SnapshotError, match=r"orders cannot be listed: .*Permission denied"):
            take_files(store, str(folder), fingerprint=told if patched == "listing_of" else None)
        monkeypatch.undo()
    (folder / "part-0.parquet").rename(folder / os.fsdecode(b"\xff.parquet"))
    with pytest.raises(SnapshotError, match="orders has names that are not UTF-8"):
        take_files(store, str(folder))


def test_values_that_cannot_be_summed(store: Store, folder: Path) -> None:
    pq.write_table(pa.table({"t": pa.array([1], pa.timestamp("ns"))}), folder / "part-0.parquet")
    with pytest.raises(SnapshotError, match=r"orders has values that Spark cannot hold: .* would lose data"):
        take_files(store, str(folder))


def test_more_files_than_are_preserved_have_a_listing(folder: Path) -> None:
    for number in range(20_001):
        os.link(folder / "part-0.parquet", folder / f"{number}.parquet")
    told = fingerprint(folder)
    assert len(listing_of(str(folder), told) or ()) == 20_002


def test_files_that_change_while_they_are_read_have_no_sum(store: Store, folder: Path) -> None:
    def meanwhile(done: int, total: int) -> None:
        pq.write_table(ROWS, folder / "part-1.parquet")

    with pytest.raises(SnapshotError, match="changed while they were read"):
        take_files(store, str(folder), progress=meanwhile)
    assert snapshots(store) == []


def test_verify(store: Store, folder: Path) -> None:
    taken = take_files(store, str(folder))
    assert verify_any(store, taken, str(folder)).holds
    file = folder / "part-0.parquet"
    told = file.stat()
    pq.write_table(ROWS.set_column(1, "name", [["a", "c", None]]), file)
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert fingerprint(folder) == taken.fingerprint  # silently rewritten: sizes and times tell nothing
    silent = verify_any(store, taken, str(folder))
    assert (silent.holds, silent.rows, silent.reason) == (False, 3, None)
    file.unlink()
    pq.write_table(ROWS.slice(1), folder / "part-2.parquet")
    rewritten = verify_any(store, taken, str(folder))
    assert (rewritten.holds, rewritten.rows) == (False, 2)
    assert "files are others" in str(rewritten.reason)
    (folder / "part-2.parquet").unlink()
    assert "no files of data" in str(verify_any(store, taken, str(folder)).reason)
    folder.joinpath("_SUCCESS").unlink()
    folder.rmdir()
    assert "nothing at" in str(verify_any(store, taken, str(folder)).reason)


def test_what_is_written_and_read_is_due(store: Store, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "lake" / "source"
    source.mkdir()
    pq.write_table(ROWS, source / "a.parquet")
    in_tables(store, Output, folder, fingerprint(folder))
    in_tables(store, Input, source, fingerprint(source))
    in_tables(store, Input, source, fingerprint(source), "run-1:2")
    in_tables(store, Input, source, "partitions:0123")
    in_tables(store, Input, source, "snapshot:0123")
    assert [(one.name, one.execution_id, one.version) for one in due(store, OUTPUTS)] == [(str(folder), "run-1:1", None)]
    assert [one.name for one in due(store, ALL)] == [str(folder), str(source)]
    assert due(store, Policy("all", Limits(deny=("*/orders", "*/source")), 10**9)) == []
    taken = take_wanted(store, due(store, ALL), ALL)
    assert taken.sound
    assert [one.row_count for one in taken.snapshots] == [3, 3]
    assert due(store, ALL, again=True) == []


def test_what_cannot_be_taken_is_recorded(store: Store, folder: Path, tmp_path: Path, caplog: Any) -> None:
    in_tables(store, Output, folder, "listing:0123")
    text = tmp_path / "lake" / "text"
    text.mkdir()
    (text / "a.csv").write_text("id\n1\n")
    in_tables(store, Output, text, fingerprint(text))
    large = tmp_path / "lake" / "large"
    large.mkdir()
    pq.write_table(ROWS, large / "a.parquet")
    in_tables(store, Output, large, fingerprint(large))
    small = Policy("outputs", Limits(), 10)
    with caplog.at_level(logging.WARNING):
        taken = take_wanted(store, due(store, small), small)
    reasons = {Path(one.name).name: str(one.reason) for one in taken.snapshots}
    assert "not those any more that were recorded" in reasons["orders"]
    assert "jobs/snapshot.py --format csv" in reasons["text"]
    assert "more than snapshots.max.bytes (10)" in reasons["large"]
    assert {one.method for one in taken.snapshots} == {"none"}
    assert len(caplog.records) == 3
    assert due(store, small) == []
    assert {Path(one.name).name for one in due(store, OUTPUTS, again=True)} == {"orders", "text", "large"}


@pytest.fixture
def run(tmp_path: Path, store: Store) -> Callable[..., Any]:
    return lambda *arguments: CliRunner().invoke(main, ["snapshot", *arguments, "--store", store.location])


def test_as_commands(run: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    taken = run("take", str(folder), "--json")
    assert taken.exit_code == 0, taken.output
    assert json.loads(taken.output)[0]["fingerprint"] == fingerprint(folder)
    assert fingerprint(folder) in run("list").output
    shown = run("show", str(folder)).output
    assert "rows         3" in shown
    assert fingerprint(folder) in shown
    held = run("verify", str(folder))
    assert (held.exit_code, held.output.splitlines()[0].startswith(f"the files of {fingerprint(folder)} of {folder} holds: 3")) == (0, True)  # fmt: skip
    pq.write_table(ROWS.slice(1), folder / "part-0.parquet")
    differs = run("verify", str(folder))
    assert differs.exit_code == 1
    assert "differs: it has 2 rows" in differs.output
    for wrong, why in (
        (("take", str(folder), "--version", "3"), "only these have versions"),
        (("take", str(folder), "--columns"), "for Delta tables"),
        (("take", str(tmp_path / "nowhere")), "nowhere"),
        (("take", str(tmp_path)), "no files of data|a Delta table"),
    ):
        refused = run(*wrong)
        assert refused.exit_code == 2, refused.output
        assert any(one in refused.output for one in why.split("|")), refused.output


def test_from_python_and_diff_from_checksums(store: Store, folder: Path, tmp_path: Path) -> None:
    lineage = spark_lineage.open(store.location)
    other = tmp_path / "lake" / "copy"
    other.mkdir()
    pq.write_table(ROWS.slice(2), other / "b.parquet")
    pq.write_table(ROWS.slice(0, 2), other / "a.parquet")
    assert not lineage.diff(str(folder), str(other)).known
    mine, yours = lineage.snapshot_take(str(folder)), lineage.snapshot_take(str(other))
    assert mine.checksum == yours.checksum
    found = lineage.diff(str(folder), str(other))
    assert (found.known, found.equal) == (True, True)
    assert lineage.snapshot_verify(str(folder)).holds
    pq.write_table(ROWS, other / "b.parquet")
    changed = lineage.diff(str(folder), str(other))
    assert (changed.known, changed.equal, changed.only_there) == (False, False, 2)


def test_the_first_one_makes_a_store_and_a_wrong_one_does_not(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "new"
    wrong = CliRunner().invoke(main, ["snapshot", "take", str(tmp_path / "nowhere"), "--store", str(place)])
    assert (wrong.exit_code, place.exists()) == (2, False)
    taken = CliRunner().invoke(main, ["snapshot", "take", str(folder), "--store", str(place)])
    assert taken.exit_code == 0, taken.output
    assert len(snapshots(Store.open(str(place)))) == 1


def test_files_that_came_since_are_left_out(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        file = tmp_path / f"part-{number}"
        file.write_text("x" * number)
        os.utime(file, (number, number))
    then = fingerprint_of(listed(tmp_path, False)[:2])
    with pytest.raises(SnapshotError, match="not those any more"):
        recorded_files(str(tmp_path), then)
    for until in (2_000, 2_500, 60_000):  # what came after the files were listed may have come before the execution ended
        found = recorded_files(str(tmp_path), then, until, earlier=True)
        assert [Path(file.path).name for file in found] == ["part-1", "part-2"]
    assert len(recorded_files(str(tmp_path), then, 2_000)) == 2
    with pytest.raises(SnapshotError, match="not those any more"):
        recorded_files(str(tmp_path), then, 1_000, earlier=True)
    os.utime(tmp_path / "part-1", (5, 5))
    with pytest.raises(SnapshotError, match="not those any more"):
        recorded_files(str(tmp_path), then, 60_000, earlier=True)
