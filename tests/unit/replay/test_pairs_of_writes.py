"""Which write of a run belongs to which of its replay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from spark_lineage.replay.job_outputs import pairs_of
from spark_lineage.replay.outputs import Past, Written


def executions(run: str, *writes: tuple[str, int | None]) -> list[Past]:
    return [
        Past(
            execution_id=f"{run}:{number}", run_id=run, job_name=None, sequence=number, operation="append", status="succeeded",
            ended_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number), reasons=(), is_batch=False,
            outputs=(Written(namespace="file", name=name, version=version, mode="append"),),
        )
        for number, (name, version) in enumerate(writes)
    ]  # fmt: skip


def told(recorded: list[Past], replayed: list[Past], at: dict[str, int]) -> tuple[list[tuple[object, ...]], list[str]]:
    pairs, extra = pairs_of(recorded, replayed, {("file", name): version for name, version in at.items()})
    found = [(pair.written.name, pair.written.version, pair.other and pair.other.version, pair.whole) for pair in pairs]
    return found, [output.name for _, output in extra]


def test_in_their_order() -> None:
    then = executions("a", ("x", 5), ("y", 0), ("x", 6), ("files", None))
    now = executions("b", ("x", 5), ("y", 0), ("x", 6), ("files", None))
    assert told(then, now, {"x": 4, "y": -1}) == (
        [("x", 5, 5, True), ("y", 0, 0, True), ("x", 6, 6, True), ("files", None, None, True)],
        [],
    )


def test_commits_of_others_between() -> None:
    """What follows them is compared by what the write changed."""
    then, now = executions("a", ("x", 5), ("x", 9), ("x", 10)), executions("b", ("x", 5), ("x", 6), ("x", 7))
    assert told(then, now, {"x": 4})[0] == [("x", 5, 5, True), ("x", 9, 6, False), ("x", 10, 7, False)]
    assert told(executions("a", ("x", 6)), executions("b", ("x", 5)), {"x": 4})[0] == [("x", 6, 5, False)]


def test_what_is_overwritten_is_compared_whatever_was_there() -> None:
    then, now = executions("a", ("x", 7), ("x", 8)), executions("b", ("x", 6), ("x", 7))
    then, now = (
        [
            replace(one, outputs=(replace(one.outputs[0], mode=mode),))
            for one, mode in zip(run, ("overwrite", "append"), strict=True)
        ]
        for run in (then, now)
    )
    assert told(then, now, {"x": 5})[0] == [("x", 7, 6, True), ("x", 8, 7, True)]


def test_another_number_of_commits() -> None:
    """Then the states after the last ones are compared, if nobody else wrote between."""
    then, now = executions("a", ("x", 1), ("x", 2), ("x", 3)), executions("b", ("x", 1), ("x", 2))
    assert told(then, now, {"x": 0})[0] == [("x", 3, 2, True)]
    pairs, _ = pairs_of(then, now, {("file", "x"): 0})
    assert pairs[0].note == "it was written in 3 commits then, and in 2 now"
    pairs, _ = pairs_of(executions("a", ("x", 1), ("x", 7)), now[:1], {("file", "x"): 0})
    assert [(pair.other, pair.whole) for pair in pairs] == [(None, False)]
    assert "with commits of others between" in str(pairs[0].note)


def test_what_only_one_wrote() -> None:
    then, now = executions("a", ("x", 1), ("gone", 1), ("gone", 2)), executions("b", ("x", 1), ("new", 0))
    found, extra = told(then, now, {"x": 0, "gone": 0})
    assert found == [("x", 1, 1, True), ("gone", 1, None, True), ("gone", 2, None, True)]
    assert extra == ["new"]


def test_which_is_the_last_of_a_dataset() -> None:
    then, now = executions("a", ("x", 1), ("y", 0), ("x", 2)), executions("b", ("x", 1), ("y", 0), ("x", 2))
    pairs, _ = pairs_of(then, now, {("file", "x"): 0})
    assert [(pair.written.name, pair.last) for pair in pairs] == [("x", False), ("y", True), ("x", True)]


def test_a_table_that_is_dropped_and_made_again() -> None:
    """Its versions begin anew: they follow those of the one before it."""
    then, now = executions("a", ("x", 4), ("x", 5), ("x", 0)), executions("b", ("x", 4), ("x", 5), ("x", 0))
    then, now = (
        [
            replace(one, outputs=(replace(one.outputs[0], table_id=table_id),))
            for one, table_id in zip(run, ("one", "one", "other"), strict=True)
        ]
        for run in (then, now)
    )
    assert [one[1:3] for one in told(then, now, {"x": 3})[0]] == [(4, 4), (5, 5), (0, 0)]


def test_what_the_run_did_between_with_no_rows_of_a_query() -> None:
    """RESTORE, OPTIMIZE: the state after the next write is its own all the same. What the replay did between is its own always."""
    then, now = executions("a", ("x", 1), ("x", 3)), executions("b", ("x", 1), ("x", 2))
    for own, whole in (({1, 2, 3}, True), ({1, 3}, False)):
        pairs, _ = pairs_of(then, now, {("file", "x"): 0}, {("file", "x"): [(version, None) for version in own]})
        assert [pair.whole for pair in pairs] == [True, whole]
    pairs, _ = pairs_of(now, then, {("file", "x"): 0})
    assert [pair.whole for pair in pairs] == [True, True]


def test_commits_of_others_to_a_table_that_the_run_had_made_again() -> None:
    """Versions that it made of the table before are none of this one."""
    then, now = executions("a", ("x", 1), ("x", 2), ("x", 0), ("x", 3)), executions("b", ("x", 1), ("x", 2), ("x", 0), ("x", 1))
    then, now = (
        [
            replace(one, outputs=(replace(one.outputs[0], table_id=table_id),))
            for one, table_id in zip(run, ("one", "one", "other", "other"), strict=True)
        ]
        for run in (then, now)
    )
    before = [(1, "one"), (2, "one"), (0, "other")]
    late = [(2, "other"), (1, "other"), (3, "other")]  # of two threads: in the order in which they ended
    for after, whole in (([(3, "other")], False), ([(1, "other"), (2, "other"), (3, "other")], True), (late, True)):
        pairs, _ = pairs_of(then, now, {("file", "x"): 0}, {("file", "x"): [*before, *after]})
        assert [pair.whole for pair in pairs] == [True, True, True, whole]


def test_a_table_whose_first_version_ended_last() -> None:
    then, now = executions("a", ("x", 0), ("x", 1), ("x", 2)), executions("b", ("x", 0), ("x", 1), ("x", 2))
    pairs, _ = pairs_of(then, now, {}, {("file", "x"): [(1, "one"), (0, "one"), (2, "one")]})
    assert [pair.whole for pair in pairs] == [True, True, True]
