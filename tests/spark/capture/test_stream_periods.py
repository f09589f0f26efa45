"""Periods of a stream that are over because their time is, while the stream goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, executions
from test_streams import TIMEOUT, checkpointed, csv_files, files_stream, records_of

from spark_lineage.capture.attach import attach, detach


@pytest.fixture
def by_the_second(spark: Any, tmp_path: Path) -> Iterator[Capture]:
    (tmp_path / "data").mkdir()
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, streams_record="1")
    assert attachment is not None
    yield Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")
    detach(spark)


def batches_on_disk(capture: Capture) -> list[tuple[int, int, int]]:
    """First batch, last batch and their number, of each execution. Not flushed: that would close the period."""
    streams = [document["stream"] for document in executions(capture.inbox)]
    return [(one["first_batch_id"], one["batch_id"], one["batches"]) for one in streams]


def wait_for(capture: Capture, last: int) -> list[tuple[int, int, int]]:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        found = batches_on_disk(capture)
        if found and found[-1][1] == last:
            return found
        time.sleep(0.1)
    raise AssertionError(f"batch {last} is not on disk: {batches_on_disk(capture)}")


def test_a_period_is_closed_by_its_time_while_the_stream_waits(spark: Any, by_the_second: Capture) -> None:
    folder = csv_files(by_the_second, 3)
    query = checkpointed(files_stream(spark, folder), by_the_second).format("parquet").start(str(by_the_second.data / "sink"))
    try:
        query.processAllAvailable()
        first = wait_for(by_the_second, 2)
        assert query.isActive, "nothing but the time closed it"
        (folder / "late.csv").write_text("9,0\n")
        query.processAllAvailable()
        every = wait_for(by_the_second, 3)
    finally:
        query.stop()
    assert every[: len(first)] == first
    assert every[-1] == (3, 3, 1)
    assert sum(count for _, _, count in every) == 4, "each batch is in one period"
    (output,) = records_of(executions(by_the_second.inbox)[-1]).outputs
    assert output.rows_written is None, "a blind spot: the sink for files tells nobody"
