from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from spark_lineage.cli import main
from spark_lineage.doctor import Finding, examine
from spark_lineage.inbox.folder import open_inbox
from spark_lineage.ingest import ingest
from spark_lineage.store.schemas import SCHEMA_VERSION
from spark_lineage.store.tables import write_version

RUN = "0195a000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration, and no other Spark than this Python's."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPARK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


@pytest.fixture
def waiting(store: Path) -> Path:
    """The store's inbox, with a document that is none."""
    inbox = store / "inbox"
    open_inbox(inbox, create=True)
    (inbox / RUN).mkdir()
    document = inbox / RUN / "00000000.run_start.json.gz"
    document.write_bytes(b"this was cut off")
    return document


def look(name: str, store: Path | str | None = None, inbox: Path | None = None) -> Finding:
    found = examine(store=str(store) if store else None, inbox=str(inbox) if inbox else None)
    return next(finding for finding in found if finding.name == name)


def java(folder: Path, says: str) -> None:
    """A Java of a version that is not installed here, as far as `java -version` goes."""
    script = folder / "bin" / "java"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\necho '{says}' >&2\n", encoding="utf-8")
    script.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "ok"),
        ('openjdk version "21" 2023-09-19', "ok"),
        ('java version "1.8.0_401"', "problem"),
        ('openjdk version "11.0.2" 2019-01-15', "problem"),
        ("this is not Java", "problem"),
    ],
)
def test_java_17_and_21_will_do(says: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path / "jdk", says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    found = look("java")
    assert (found.status, bool(found.advice)) == (status, status == "problem")


def test_no_java_is_a_problem_only_where_spark_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    found = look("java")
    assert found.status == "problem"
    assert "JAVA_HOME" in found.advice


@pytest.mark.parametrize(("version", "status"), [("4.0.1", "ok"), ("4.1.4", "ok"), ("4.2.0", "problem"), ("3.5.6", "problem")])
def test_the_spark_of_spark_home_is_looked_at(
    version: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "RELEASE").write_text(f"Spark {version} built for Hadoop 3.4.1\n", encoding="utf-8")
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setattr("spark_lineage.doctor._installed", lambda package: None)
    found = look("spark")
    assert (found.status, version in found.detail) == (status, True)


def test_two_sparks_of_different_versions_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "spark-core_2.13-4.0.1.jar").touch()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert look("spark").status == "problem"


def test_the_bridge_and_the_libraries_are_here() -> None:
    assert (look("bridge").status, look("libraries").status) == ("ok", "ok")


def test_nothing_there_yet_is_no_problem(tmp_path: Path) -> None:
    assert (look("store").status, look("inbox").status) == ("note", "note")
    (tmp_path / "file").touch()
    blocked = look("store", tmp_path / "file" / "lineage")
    assert (blocked.status, str(tmp_path / "file") in blocked.detail) == ("problem", True)


def test_a_store_is_opened_and_its_version_told(store: Path) -> None:
    assert look("store", store) == Finding("store", "ok", f"{store}, schema version {SCHEMA_VERSION}")
    write_version(str(store), SCHEMA_VERSION + 1)
    assert look("store", store).status == "problem"


def test_a_table_that_is_gone_is_a_problem(store: Path) -> None:
    shutil.rmtree(store / "column_lineage")
    found = look("store", store)
    assert (found.status, found.detail.partition("lacks ")[2]) == ("problem", "column_lineage")


def test_a_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_REDACT_LITERALS_SECRET", "hunter2")
    assert "redact.literals.secret = (not shown) (environment)" in look("configuration").detail
    assert not [finding for finding in examine() if "hunter2" in finding.detail + finding.advice]


def test_a_bad_option_is_told_and_ends_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_PLAN_MAX_NODES", "many")
    found = examine()
    assert (found[-1].name, found[-1].status) == ("configuration", "problem")
    assert "SPARK_LINEAGE_PLAN_MAX_NODES" in found[-1].detail


def test_switched_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_ENABLED", "false")
    assert "switched off" in look("configuration").detail


def test_documents_that_wait_for_nobody_are_a_problem(store: Path, waiting: Path) -> None:
    assert look("inbox", store).status == "ok"
    os.utime(waiting, (0, time.time() - 7_300))
    found = look("inbox", store)
    assert found.status == "problem"
    assert "1 documents of 1 runs wait, the oldest for 2 hours" in found.detail
    assert f"spark-lineage ingest {store / 'inbox'}" in found.advice
    assert look("ingester", store).status == "note"


def test_quarantine_is_counted_by_reason(store: Path, waiting: Path) -> None:
    assert look("quarantine", store) == Finding("quarantine", "ok", "empty")
    ingest(str(store / "inbox"), str(store))
    found = look("quarantine", store)
    assert found.status == "problem"
    assert found.detail.startswith("1 documents: 1 x ")
    assert "--retry-quarantine" in found.advice
    assert look("ingester", store).status == "ok"


def test_a_file_system_without_room_is_a_problem(store: Path, waiting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_lineage.doctor.LEAST_FREE_BYTES", 1 << 62)
    for name in ("store", "inbox"):
        found = look(name, store)
        assert (found.status, "has no room" in found.detail) == ("problem", True)


def test_an_inbox_that_is_none_is_a_problem(store: Path, tmp_path: Path) -> None:
    assert look("inbox", store, tmp_path).status == "problem"
    assert not (tmp_path / "inbox.json").exists()


def test_the_command_says_no_with_exit_code_1(store: Path, waiting: Path) -> None:
    os.utime(waiting, (0, 0))
    result = CliRunner().invoke(main, ["doctor", "--store", str(store)])
    assert result.exit_code == 1
    assert "problem inbox" in result.stdout
    as_json = CliRunner().invoke(main, ["doctor", "--store", str(store), "--json"])
    assert {found["name"]: found["status"] for found in json.loads(as_json.stdout)}["inbox"] == "problem"
    assert as_json.exit_code == 1


def test_the_command_is_content_with_a_sound_installation(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path / "jdk", 'openjdk version "17.0.15" 2025-04-15')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    result = CliRunner().invoke(main, ["doctor", "--store", str(store)])
    assert result.exit_code == 0, result.stdout
    assert f"ok      python        {sys.version.split()[0]}" in result.stdout
