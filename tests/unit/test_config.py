"""Options: who wins, what is refused, and what a location means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spark_lineage.config import OPTIONS, Settings, load, local_path
from spark_lineage.errors import ConfigError


def in_force(
    tmp_path: Path,
    toml: str = "",
    environment: dict[str, str] | None = None,
    spark: dict[str, str] | None = None,
    **arguments: object,
) -> Settings:
    (tmp_path / "lineage.toml").write_text(toml)
    return load((spark or {}).get, environment=environment or {}, directory=tmp_path, **arguments)


def test_order_of_precedence(tmp_path: Path) -> None:
    """An argument, then Spark's configuration, then the environment, then lineage.toml, then the default."""
    toml = 'store = "from toml"'
    environment = {"SPARK_LINEAGE_STORE": "from environment"}
    spark = {"spark.lineage.store": "from spark"}
    ways = [
        (in_force(tmp_path, toml, environment, spark, store="from argument"), "from argument", "argument"),
        (in_force(tmp_path, toml, environment, spark), "from spark", "spark"),
        (in_force(tmp_path, toml, environment), "from environment", "environment"),
        (in_force(tmp_path, toml), "from toml", "lineage.toml"),
        (in_force(tmp_path), "./lineage", "default"),
    ]
    for settings, value, origin in ways:
        assert (settings.store, settings.origins["store"]) == (value, origin)


def test_kinds_of_values(tmp_path: Path) -> None:
    settings = in_force(
        tmp_path,
        'labels = ["team=a", "tier=1"]\n[plan.max]\nnodes = 7\n',
        {"SPARK_LINEAGE_ENABLED": "no", "SPARK_LINEAGE_EXIT_WAIT_SECONDS": "1.5", "SPARK_LINEAGE_JOBS_DENY": "tmp_*, test_*"},
    )
    assert settings.enabled is False
    assert settings.exit_wait_seconds == 1.5
    assert settings.jobs_deny == ("tmp_*", "test_*")
    assert settings.labels == ("team=a", "tier=1")
    assert settings.plan_max_nodes == 7


@pytest.mark.parametrize(
    ("toml", "environment", "message"),
    [
        ("", {"SPARK_LINEAGE_PLAN_MAX_NODES": "many"}, r"SPARK_LINEAGE_PLAN_MAX_NODES \(from environment\) is 'many', which is no int"),
        ("", {"SPARK_LINEAGE_ENABLED": "maybe"}, r"which is no bool"),
        ('stor = "x"', {}, r"no such option 'stor'"),
        ("store = ", {}, r"lineage.toml cannot be read"),
        ('[redact]\nliteral = "hash"', {}, r"no such option 'redact.literal'"),
        ('[store]\nplace = "/x"', {}, r"no such option 'store.place'"),
        ("[inbox]", {}, r"'inbox' is an empty table"),
        ("store = true", {}, r"store \(from lineage.toml\) is True, which is no str; set it to something like './lineage'"),
        ('store = ["a", "b"]', {}, r"which is no str"),
        ("labels = 5", {}, r"labels \(from lineage.toml\) is 5, which is no list; set it to something like 'a, b'"),
        ("labels = [5]", {}, r"which is no list"),
        ("[plan.max]\nnodes = true", {}, r"plan.max.nodes \(from lineage.toml\) is True, which is no int"),
        ("[plan.max]\nnodes = 2.7", {}, r"is 2.7, which is no int"),
        ("", {"SPARK_LINEAGE_PLAN_MAX_NODES": "-1"}, r"is '-1'; set it to a number from 0 to "),
        ("", {"SPARK_LINEAGE_PLAN_MAX_BYTES": "4294967296"}, r"is '4294967296'; set it to a number from 0 to 2147483647"),
        ("", {"SPARK_LINEAGE_EXIT_WAIT_SECONDS": "nan"}, r"which is no float"),
        ("", {"SPARK_LINEAGE_EXIT_WAIT_SECONDS": "inf"}, r"is 'inf'; set it to a number from 0 to "),
        ("", {"SPARK_LINEAGE_READS": "perhaps"}, r"set it to something like true or false"),
        ("", {"SPARK_LINEAGE_STREAMS_RECORD": "sometimes"}, r"is 'sometimes'; set it to every, or to a number of seconds"),
        ("", {"SPARK_LINEAGE_STREAMS_RECORD": "-5"}, r"is '-5'; set it to every, or to a number of seconds"),
        ("", {"SPARK_LINEAGE_REDACT": "token, ("}, r"SPARK_LINEAGE_REDACT \(from environment\) has '\(', which is no regular expression"),
        ("", {"SPARK_LINEAGE_CONFIG": "/no/such/file.toml"}, r"names /no/such/file.toml, and there is no such file"),
    ],
)  # fmt: skip
def test_what_is_refused(toml: str, environment: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        in_force(tmp_path, toml, environment)


@pytest.mark.parametrize("name", ["redact.literals", "executables.store", "inbox.mode", "queue.max.bytes"])
def test_a_table_is_not_the_option_of_its_name(name: str, tmp_path: Path) -> None:
    value: object = {"queue.max.bytes": 7, "redact.literals": "drop", "inbox.mode": "group"}.get(name, "x")
    table, _, key = name.rpartition(".")
    settings = in_force(tmp_path, f"[{table}]\n{key} = {json.dumps(value)}")
    assert settings.values == {**in_force(tmp_path).values, name: value}


def test_a_choice_is_one_of_those_that_there_are(tmp_path: Path) -> None:
    """A misspelt policy of redaction is refused, and does not mean that nothing is redacted."""
    chosen = in_force(tmp_path, spark={"spark.lineage.redact.literals": " Drop ", "spark.lineage.inbox.mode": "GROUP"})
    assert (chosen.redact_literals, chosen.inbox_mode) == ("drop", "group")
    for name, value in (("redact.literals", "redact"), ("redact.literals", "true"), ("redact.literals", ""), ("ingest", "no"),
                        ("executables", "write"), ("inbox.mode", "world")):  # fmt: skip
        with pytest.raises(ConfigError, match=rf"spark.lineage.{name} \(from spark\) is '{value}'; set it to one of "):
            in_force(tmp_path, spark={"spark.lineage." + name: value})
    assert all(option.default in option.choices for option in OPTIONS if option.choices)


def test_a_period_is_a_word_or_a_number(tmp_path: Path) -> None:
    assert in_force(tmp_path, "[streams]\nrecord = 60").streams_record == "60"
    assert in_force(tmp_path, spark={"spark.lineage.streams.record": " Every "}).streams_record == "every"
    assert in_force(tmp_path, streams_record=0.5).streams_record == "0.5"


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    settings = in_force(tmp_path, reads=False, redact_literals_secret="hunter2")
    assert repr(settings) == "Settings(reads = False (argument), redact.literals.secret = (not shown) (argument))"


def test_a_mapping_is_no_list(tmp_path: Path) -> None:
    """Its keys alone would be taken, and its values lost."""
    with pytest.raises(ConfigError, match=r"labels .* which is no list"):
        in_force(tmp_path, labels={"team": "a"})


def test_an_argument_that_is_no_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such option: colour"):
        in_force(tmp_path, colour="blue")


@pytest.mark.parametrize(
    ("store", "inbox"),
    [("/data/lineage", "/data/lineage/inbox"), ("file:///data/x", "/data/x/inbox"), ("s3://bucket/lineage", "./lineage-inbox")],
)
def test_the_inbox_follows_the_store(store: str, inbox: str, tmp_path: Path) -> None:
    assert in_force(tmp_path, store=store).inbox_location == inbox
    assert in_force(tmp_path, store=store, inbox="/elsewhere").inbox_location == "/elsewhere"


def test_local_paths() -> None:
    assert local_path("file:/x/y") == local_path("file:///x/y") == Path("/x/y")
    assert local_path("hdfs://host/x") is None


def test_names_are_made_of_one_name() -> None:
    assert len({option.env for option in OPTIONS}) == len({option.attribute for option in OPTIONS}) == len(OPTIONS)
