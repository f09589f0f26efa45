"""Numbers that are given once, and what happens to a manifest that cannot be read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.errors import InboxError
from spark_lineage.inbox import batch as batches
from spark_lineage.inbox.batch import Batch
from spark_lineage.inbox.folder import InboxDocument, InboxFolder, open_inbox
from spark_lineage.inbox.ledger import Ledger, OpenRun, from_json, to_json
from spark_lineage.inbox.sequences import Sequences


@pytest.fixture
def inbox(tmp_path: Path) -> InboxFolder:
    return open_inbox(tmp_path / "inbox", create=True)


def unsealed(inbox: InboxFolder, number: int = 0) -> Batch:
    return Batch(inbox_id=inbox.inbox_id, number=number, stage="sealed", sealed_ms=1, store="/tables")


def test_a_number_is_given_once(inbox: InboxFolder) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: batches.seal(inbox, unsealed(inbox)).number, range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_a_number_is_not_given_again_once_the_batch_is_done(inbox: InboxFolder) -> None:
    for expected in (1, 2, 3):
        sealed = batches.seal(inbox, unsealed(inbox))
        assert sealed.number == expected
        batches.finish(inbox, batches.mark_applied(inbox, sealed, []))
        assert inbox.names("batches") == [f"{expected:08d}.json"]
        assert batches.unfinished(inbox) == []


def test_a_number_is_above_what_the_tables_have(inbox: InboxFolder) -> None:
    assert batches.seal(inbox, unsealed(inbox, number=41)).number == 42


def test_unfinished_batches_come_back_as_they_were(inbox: InboxFolder) -> None:
    documents = (InboxDocument("run", "00000000.run_start.json.gz", 10),)
    batch = Batch(
        inbox_id=inbox.inbox_id, number=0, stage="sealed", sealed_ms=1, store="/tables", documents=documents,
        exits={"run": {"exit_code": 1}}, lost=("other",), resumed=("run",),
    )  # fmt: skip
    sealed = batches.seal(inbox, batch)
    applied = batches.mark_applied(inbox, batches.seal(inbox, batch), [Ledger("run", 2, Sequences.of([0, 1]))])
    assert batches.unfinished(inbox) == [sealed, applied]
    assert sealed.runs == ("run", "other")


def test_a_manifest_that_cannot_be_understood_stops_everything(inbox: InboxFolder) -> None:
    inbox.create("batches/00000001.json", b'{"format": 1}')
    with pytest.raises(InboxError, match="cannot be understood"):
        batches.unfinished(inbox)


def test_a_number_that_was_taken_and_not_used(inbox: InboxFolder) -> None:
    inbox.create("batches/00000001.json", b"")
    assert batches.unfinished(inbox) == []
    assert batches.seal(inbox, unsealed(inbox)).number == 2


def test_a_batch_is_bounded_in_bytes_but_takes_one_document_at_least(
    inbox: InboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BYTES_MAX", 25)
    for number in range(3):
        inbox.create(f"run/{number:08d}.execution.json.gz", b"1234567890")
    assert [document.sequence for document in batches.choose(inbox)] == [0, 1]
    inbox.create("a run before/00000000.execution.json.gz", b"x" * 100)
    assert [document.run for document in batches.choose(inbox)] == ["a run before"]


def test_a_folder_that_cannot_be_used_holds_nobody_up(inbox: InboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for run in ("mine", "theirs"):
        inbox.create(f"{run}/00000000.execution.json.gz", b"x")

    def check(folder: str) -> None:
        if folder == "theirs":
            raise InboxError("documents of theirs cannot be taken")

    monkeypatch.setattr(inbox, "check", check)
    warnings: list[str] = []
    assert [document.run for document in batches.choose(inbox, warnings.append)] == ["mine"]
    assert warnings == ["documents of theirs cannot be taken"]


ledgers = st.builds(
    Ledger,
    run=st.text(min_size=1),
    batch=st.integers(0),
    ingested=st.sets(st.integers(0, 20)).map(Sequences.of),
    quarantined=st.sets(st.integers(0, 20)).map(Sequences.of),
    last_sequence=st.none() | st.integers(0, 20),
    end_status=st.none() | st.sampled_from(["succeeded", "failed"]),
    last_time_ms=st.integers(0),
    exit_error=st.none() | st.text(),
    resumed=st.booleans(),
    datasets_allow=st.lists(st.text()).map(tuple),
    masking_functions=st.lists(st.text()).map(tuple),
    runs=st.dictionaries(st.text(min_size=1), st.none() | st.text()).map(
        lambda names: {run: OpenRun(run, name, 1) for run, name in names.items()}
    ),
)


@given(ledgers)
def test_a_ledger_comes_back_as_it_was_written(ledger: Ledger) -> None:
    assert from_json(to_json(ledger)) == ledger
