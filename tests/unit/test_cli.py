"""The commands as a shell starts them, but for the new process where a test is not about it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from recorded_jobs import Recorder, churn

from spark_lineage import __version__
from spark_lineage.cli import main
from spark_lineage.query import answers
from spark_lineage.render import Page
from spark_lineage.store.tables import Store

ROOT = Path(__file__).resolve().parents[2]
FEATURES, PREDICTIONS = "/lake/user_activity_features", "/lake/churn_predictions"


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    location = tmp_path_factory.mktemp("cli") / "store"
    shutil.copytree(empty_store, location)
    churn(Store.open(location))
    return str(location)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what a test gives."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPARK_LINEAGE_")]:
        monkeypatch.delenv(name)


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def answer(*arguments: str) -> Any:
    result = ask(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


def environment(**settings: str) -> dict[str, str]:
    """With the checkout importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **settings}


def process(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spark_lineage.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment(**settings))


def test_to_a_pipe_tables_are_tab_separated_with_full_names(store: str) -> None:
    result = ask("runs", "--store", store)
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["run", "job", "status", "started", "seconds", "executions", "rows written", "outputs"]
    assert [len(line) for line in lines] == [8] * 7
    assert lines[1][:3] == ["01950006-0000-7000-8000-000000000000", "marts", "succeeded"]
    datasets = ask("datasets", "--store", store).stdout.splitlines()
    assert datasets[1].split("\t")[0] == PREDICTIONS


def test_to_a_pipe_trees_are_indented_text_with_full_names(store: str) -> None:
    result = ask("upstream", "marts/revenue.total", "--store", store, "--at", "2026-03-03")
    assert result.stdout.splitlines() == [
        "/lake/marts/revenue.total  upstream, as of 2026-03-03 23:59:59Z",
        "  /lake/churn_predictions.score  AGGREGATION  count(score)  [marts]",
        "    /lake/user_activity_features (every column)  inferred  [churn]",
        "      /lake/raw/user_behavior.csv.at  AGGREGATION  count(at)  [features]",
        "      /lake/raw/user_behavior.csv.user_id  IDENTITY  [features]",
        "      decided by",
        "        /lake/raw/user_behavior.csv.event_type  FILTER",
    ]


def test_a_tree_tells_each_edge_once_where_it_belongs_best(empty_store: Path, tmp_path: Path) -> None:
    """Through the model every column of b bears on c.x, inferred; one of them does so by its value, and comes first."""
    recorder = Recorder(Store.open(shutil.copytree(empty_store, tmp_path / "store")))
    for name in ("/a", "/b", "/c"):
        recorder.dataset(name, ("x", "y"))
    recorder.job("first", 1, "/b", [("/a#x", "x", "IDENTITY"), ("/a#y", "y", "IDENTITY")])
    recorder.job("model", 2, "/c", [("/b#x", "x", "TRANSFORMATION")], inferred=["/b"])
    recorder.job("again", 3, "/c", [("/c#x", "x", "IDENTITY")], mode="merge")
    result = ask("upstream", "/c.x", "--store", recorder.store.location, "--at", "2026-03-03")
    assert result.stdout.splitlines() == [
        "/c.x  upstream, as of 2026-03-03 23:59:59Z",
        "  /b.x  TRANSFORMATION  x  [model]",
        "    /a.x  IDENTITY  [first]",
        "  itself  IDENTITY  [again]",
        "  /b (every column)  inferred  [model]  (see above)",
        "    /a.y  IDENTITY  [first]",
    ]


def test_on_a_terminal_names_are_short(store: str) -> None:
    lines = on_a_terminal("downstream", "user_behavior.event_type", "--store", store)
    assert lines[1] == "└── default.user_activity_features (every column)  deciding: FILTER  event_type  [features]"
    assert lines[2] == "    ├── default.churn_predictions.user_id  IDENTITY  [churn]"


def on_a_terminal(*arguments: str, columns: int = 120) -> list[str]:
    """The lines of an answer, without colours. A real terminal: what rich does is only seen there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "spark_lineage.cli", *arguments]
    shown = environment(TERM="xterm", COLUMNS=str(columns))
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=shown) as asked:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    assert asked.returncode == 0
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).splitlines()]


def test_on_a_terminal_a_wide_table_stays_readable(empty_store: Path, tmp_path: Path) -> None:
    """A long expression is cut, and told once for all the columns that are in it; a pipe has all of it, in every row."""
    recorder = Recorder(Store.open(shutil.copytree(empty_store, tmp_path / "store")))
    total = "(" * 199 + " + ".join(f"f{number:03})" for number in range(200))
    recorder.dataset("/wide", [f"f{number:03}" for number in range(200)])
    recorder.dataset("/scores", ("score",))
    edges = [(f"/wide#f{number:03}", "score", "TRANSFORMATION") for number in range(200)]
    recorder.job("scoring", 1, "/scores", edges, edge_values={"expression": total})
    lines = on_a_terminal("columns", "scores", "--store", recorder.store.location, columns=160)
    assert len(lines) == 201
    assert lines[1].split() == ["score", "int", "wide.f000", "TRANSFORMATION", *shown(total).split(), "scoring"]
    assert [line.split() for line in lines[2:]] == [
        [f"wide.f{number:03}", "TRANSFORMATION", "scoring"] for number in range(1, 200)
    ]
    piped = ask("columns", "scores", "--store", recorder.store.location).stdout.splitlines()
    assert {line.split("\t")[4] for line in piped[1:]} == {total}


def shown(total: str) -> str:
    return "(…" + total.lstrip("(")[:78] + "…"


def test_what_is_told_of_a_column_says_how_and_by_whom(empty_store: Path, tmp_path: Path) -> None:
    """Of fields, of rows that are only ordered, of what has no source, and of a table that several jobs append to."""
    recorder = Recorder(Store.open(shutil.copytree(empty_store, tmp_path / "store")))
    recorder.dataset("/raw", ("id", "at"))
    recorder.dataset("/t", ("id", "place", "place.city", "made", "made.by", "none"))
    edges = [("/raw#id", "id", "IDENTITY"), ("/raw#at", "place", "IDENTITY"), ("/raw#at", "made.by", "IDENTITY")]
    for hour, job in enumerate(("early", "late", "early", "last")):
        recorder.job(job, hour, "/t", edges, mode="append")
    recorder.job("ordering", 9, "/t", [("/raw#at", None, "SORT")], mode="append", edge_values={"order_only": True})
    literal = {"source_kind": "literal", "source_namespace": None, "source_name": None, "source_column": None}
    recorder.job("making", 10, "/t", [("/raw#at", "none", "IDENTITY")], mode="append", edge_values=literal)
    told = [line.split("\t") for line in ask("columns", "/t", "--store", recorder.store.location).stdout.splitlines()[1:]]
    assert [(column, source, how, by) for column, _, source, how, _, by in told] == [
        ("id", "/raw.id", "IDENTITY", "last and 2 more"),
        ("place", "/raw.at", "IDENTITY", "last and 2 more"),
        ("place.city", "(with place)", "", ""),
        ("made", "(by field)", "", ""),
        ("made.by", "/raw.at", "IDENTITY", "last and 2 more"),
        ("none", "a literal", "", "making"),
        ("(every column)", "/raw (every column)", "", "making"),
        ("(every column)", "/raw.at", "deciding: SORT, order only", "ordering"),
    ]
    at = ["--at", "2026-03-02 09:30", "--store", recorder.store.location]
    assert ask("upstream", "/t.id", *at).stdout.splitlines()[1:] == [
        "  /raw.id  IDENTITY  [last and 2 more]",
        "  decided by",
        "    /raw.at  SORT, order only",
    ]
    assert ask("upstream", "/t.place", *at).stdout.splitlines()[1:] == [
        "  /raw.at  IDENTITY, deciding: SORT, order only  at  [last, ordering and 2 more]",
    ]
    (link,) = (
        link
        for link in answer("upstream", "/t.id", "--store", recorder.store.location)["links"]
        if link["edge_type"] == "DIRECT"
    )
    assert (link["executions"], link["last_job_name"], link["jobs"]) == (4, "last", ["last", "early", "late"])


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other end is closed
        return b""


def test_show_tells_what_each_execution_read_and_wrote(store: str) -> None:
    result = ask("show", "01950005", "--store", store)
    assert result.stdout.splitlines()[-3:] == [
        "1. command  succeeded, 300.0 s",
        f"  read  {FEATURES}@1, 7 rows",
        f"  wrote {PREDICTIONS}@1, 7 rows, overwrite",
    ]
    assert "job          default/churn" in result.stdout


def test_show_tells_which_batches_of_a_stream_an_execution_is(empty_store: Path, tmp_path: Path) -> None:
    recorder = Recorder(Store.open(shutil.copytree(empty_store, tmp_path / "store")))
    of_stream: dict[str, Any] = {"operation": "stream", "stream_name": "sums", "mode": "append"}
    for hour, values in enumerate(({"batch_id": 4, "batches": 1}, {"batch_id": 11, "batches": 7})):
        run = recorder.job("streaming", hour, "/sums", [("/raw#x", "x", "IDENTITY")], **of_stream, **values)
        told = ask("show", run, "--store", recorder.store.location).stdout
        assert f"1. stream sums, {('batch 4', 'batches 5 to 11')[hour]}  succeeded, 300.0 s\n" in told
    (execution,) = answer("show", run, "--store", recorder.store.location)["executions"]
    assert (execution["stream_name"], execution["batch_id"], execution["batches"]) == ("sums", 11, 7)


def test_columns_lists_where_each_comes_from(store: str) -> None:
    lines = ask("columns", "user_activity_features", "--store", store).stdout.splitlines()
    assert lines[1:] == [
        "user_id\tint\t/lake/raw/user_behavior.csv.user_id\tIDENTITY\tuser_id\tfeatures",
        "purchases\tint\t/lake/raw/user_behavior.csv.at\tAGGREGATION\tcount(at)\tfeatures",
        "(every column)\t\t/lake/raw/user_behavior.csv.event_type\tdeciding: FILTER\tevent_type\tfeatures",
    ]


def test_columns_shows_the_one_that_is_named(store: str) -> None:
    lines = ask("columns", "user_activity_features.purchases", "--store", store).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == ["purchases", "(every column)"]


def test_a_column_whose_plan_is_not_there_cannot_be_explained(store: str) -> None:
    result = ask("columns", "user_activity_features.purchases", "--explain", "--store", store)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "whose plan was not stored" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("runs",), answers.RunSummary),
        (("show", "last"), answers.RunDetail),
        (("datasets",), answers.DatasetSummary),
        (("columns", "user_activity_features"), answers.DatasetColumns),
        (("upstream", "churn_predictions.score"), answers.Walk),
        (("downstream", "user_behavior.at"), answers.Walk),
    ],
)
def test_json_has_the_fields_of_the_python_answers(store: str, arguments: tuple[str, ...], kind: type) -> None:
    found = answer(*arguments, "--store", store)
    first = found[0] if isinstance(found, list) else found
    assert list(first) == list(kind.__dataclass_fields__)


def test_json_of_a_walk_joins_links_to_nodes(store: str) -> None:
    walk = answer("downstream", "user_behavior.event_type", "--store", store, "--depth", "1")
    ids = {node["id"]: node for node in walk["nodes"]}
    (link,) = walk["links"]
    assert link["source"] == walk["start"] == "file:/lake/raw/user_behavior.csv#event_type"
    assert ids[link["target"]]["kind"] == "all_columns"
    assert link["last_at"] == "2026-03-03T01:05:00Z"


def test_the_store_is_named_before_or_after_the_command_or_in_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = ask("datasets", "--store", store).stdout
    assert ask("--store", store, "datasets").stdout == after
    monkeypatch.setenv("SPARK_LINEAGE_STORE", store)
    assert ask("datasets").stdout == after
    monkeypatch.delenv("SPARK_LINEAGE_STORE")
    Path("lineage.toml").write_text(f'store = "{store}"\n', encoding="utf-8")
    assert ask("datasets").stdout == after


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("upstream", "churn_prediction"), "Near names: default.churn_predictions"),
        (("upstream", "revenue"), "fits 2 datasets: /lake/marts/revenue (in file); /other/revenue (in file)"),
        (("upstream", "churn_predictions.scores"), "has no column 'scores'"),
        (("columns", "churn_predictions.scores"), "has no column 'scores'"),
        (("columns", "churn_predictions", "--explain"), "as in default.churn_predictions.COLUMN"),
        (("upstream", "churn_predictions", "--at", "whenever"), "2 hours ago"),
        (("show", "nonesuch"), "`spark-lineage runs` lists all"),
        (("upstream", "churn_predictions", "--depth", "0"), "--depth"),
        (("upstream",), "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_one_paragraph_and_exit_code_2(store: str, arguments: tuple[str, ...], said: str) -> None:
    result = ask(*arguments, "--store", store)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_no_store_is_exit_code_2_and_says_how_to_name_one() -> None:
    ended = process("runs")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(
        "Error: no lineage tables at ./lineage: there is no such folder. Name the store with --store"
    )


AS_ANY_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Before a command: root, too, may then only do what the mode of a file says."""


@pytest.mark.parametrize(
    ("closed", "arguments", "said"),
    [
        (".", ["runs"], "cannot be looked into: Permission denied. Have this user given the right to read it"),
        ("executions", ["runs"], "the lineage table executions in "),
        (".", ["maintain"], "store_info in "),
        (".", ["ingest"], "cannot be looked into: Permission denied; see to its rights"),
        ("inbox", ["ingest"], "cannot be read (inbox.json): Permission denied; see to its rights"),
    ],
)
def test_what_may_not_be_read_is_said_to_be_so(
    closed: str, arguments: list[str], said: str, empty_store: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(empty_store, tmp_path / "store")
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / closed).chmod(0o000)
    try:
        command = [*AS_ANY_USER, sys.executable, "-m", "spark_lineage.cli", "--store", str(folder)]
        asked = [subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=120, env=environment())
                 for words in (arguments, ["doctor"])]  # fmt: skip
    finally:
        (folder / closed).chmod(0o700)
    assert (asked[0].returncode, asked[0].stdout) == (2, "")
    assert said in asked[0].stderr
    assert "should not have happened" not in asked[0].stderr
    assert (asked[1].returncode, asked[1].stderr) == (1, "")
    assert re.search(r"^problem (store|inbox)", asked[1].stdout, re.MULTILINE)


def test_with_debug_the_traceback_is_shown() -> None:
    assert "Traceback" in process("runs", "--debug").stderr


def test_the_version_is_the_packages() -> None:
    assert ask("--version").stdout == f"spark-lineage {__version__}\n"


def test_completion_completes_commands() -> None:
    script = ask("completion", "bash")
    assert "_SPARK_LINEAGE_COMPLETE=bash_complete" in script.stdout
    words = {"_SPARK_LINEAGE_COMPLETE": "bash_complete", "COMP_WORDS": "spark-lineage up", "COMP_CWORD": "1"}
    assert process(**words).stdout == "plain,upstream\n"


@pytest.mark.parametrize("arguments", [("--json", "-h", "--"), ("a b", "", "$HOME"), ("run", "--store", "x")])
def test_run_passes_arguments_and_exit_code_on_untouched(arguments: tuple[str, ...]) -> None:
    program = "import json, sys; print(json.dumps(sys.argv[1:])); sys.exit(7)"
    ended = process("run", "--", sys.executable, "-c", program, *arguments)
    assert (ended.returncode, json.loads(ended.stdout), ended.stderr) == (7, list(arguments), "")
    without_dashes = process("run", sys.executable, "-c", program, *arguments)
    assert (without_dashes.returncode, json.loads(without_dashes.stdout)) == (7, list(arguments))


def test_run_dies_of_what_the_command_dies_of() -> None:
    assert process("run", "--", "sh", "-c", "kill -TERM $$").returncode == -15


def test_run_gives_options_on_in_the_environment() -> None:
    program = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('SPARK_LINEAGE_')}))"
    options = (
        "--store",
        "s",
        "--inbox",
        "i",
        "--job-name",
        "j",
        "--label",
        "a=b",
        "--label",
        "c=d",
        "--set",
        "plan.max.nodes=5",
    )
    given = json.loads(process("run", *options, "--", sys.executable, "-c", program).stdout)
    expected = {"STORE": "s", "INBOX": "i", "JOB_NAME": "j", "LABELS": "a=b,c=d", "PLAN_MAX_NODES": "5"}
    assert {name: given[f"SPARK_LINEAGE_{name}"] for name in expected} == expected


def test_run_says_what_a_shell_says_of_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    assert process("run", "--", "there-is-no-such-command").returncode == 127
    (tmp_path / "data").write_text("", encoding="utf-8")
    assert process("run", "--", str(tmp_path / "data")).returncode == 126
    assert process("run").returncode == 2
    assert process("run", "--set", "plan.max.nodes=many", "--", "true").returncode == 2
    assert process("run", "--set", "nonesuch=1", "--", "true").returncode == 2


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--label", "nightly", "--label takes KEY=VALUE, not 'nightly'"),
        ("--label", "=nightly", "--label takes KEY=VALUE, not '=nightly'"),
        (
            "--set",
            "streams.record=often",
            "streams.record (from argument) is 'often'; set it to every, or to a number of seconds",
        ),
        ("--set", "redact=(", "redact (from argument) has '(', which is no regular expression"),
    ],
)
def test_run_starts_nothing_where_an_option_is_wrong(option: str, value: str, said: str, tmp_path: Path) -> None:
    result = ask("run", option, value, "--", "touch", str(tmp_path / "started"))
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "started").exists()


def test_ingest_says_what_there_is_no_inbox_for(store: str) -> None:
    result = ask("ingest", "--store", store)
    assert result.exit_code == 2
    assert "there is no inbox at" in result.stderr


def test_ingest_of_an_empty_inbox_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "inbox.json").write_text(
        '{"inbox_id": "0195aaaa-0000-7000-8000-000000000000", "format": 1}', encoding="utf-8"
    )
    found = answer("ingest", str(tmp_path / "inbox"), "--store", str(tmp_path / "store"))
    assert (found["documents"], found["batches"], found["warnings"]) == (0, 0, [])


def test_maintain_reports_by_table(store: str, tmp_path: Path) -> None:
    copied = shutil.copytree(store, tmp_path / "store")
    found = answer("maintain", "--store", str(copied))
    tables = {table["table"]: table for table in found["maintenance"]["tables"]}
    assert tables["outputs"]["files_before"] > tables["outputs"]["files_after"]
    assert found["migration"] is None
    assert answer("maintain", "--migrate", "--store", str(copied))["migration"]["changes"] == []
    assert ask("datasets", "--store", str(copied)).stdout == ask("datasets", "--store", store).stdout


def test_output_that_nobody_reads_on_is_no_error(store: str) -> None:
    """`spark-lineage runs | head -1`: the pipe closes."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "spark_lineage.cli", "runs", "--store", store]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=120, env=environment())
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_page_writes_where_it_is_told(store: str) -> None:
    import spark_lineage

    stream = io.StringIO()
    Page(stream=stream).datasets(spark_lineage.open(store).datasets())
    assert stream.getvalue().count("\n") == 6
