"""An attached session over documents alone, in a fresh inbox, for each test that asks."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture

from spark_lineage.capture import jar
from spark_lineage.capture.attach import attach, detach
from spark_lineage.capture.bridge_sources import LISTENER


@pytest.fixture
def capture(spark: Any, tmp_path: Path) -> Iterator[Capture]:
    (tmp_path / "data").mkdir()
    detach(spark)  # what a module attached for all its tests: attaching twice is once
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    yield Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")
    detach(spark)


@pytest.fixture(scope="session")
def bridge_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jar.build(tmp_path_factory.mktemp("jar") / "bridge.jar")


@pytest.fixture(scope="session")
def with_jar(bridge_jar: Path, spark_settings: dict[str, str]) -> Callable[..., list[str]]:
    """The options that any program of Spark's is given to be recorded."""

    def options(inbox: Path | str, **more: str) -> list[str]:
        settings = {
            **spark_settings,
            "spark.sql.catalogImplementation": "in-memory",
            "spark.jars": str(bridge_jar),
            "spark.extraListeners": LISTENER,
            "spark.lineage.inbox": str(inbox),
            **more,
        }
        return [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]

    return options


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """programs/CopyIds.java, a Java application, as a jar."""
    source = Path(__file__).parents[1] / "programs" / "CopyIds.java"
    java, jars = jar._java("java"), jar.find_spark_jars()
    assert java is not None
    assert jars is not None
    target = tmp_path_factory.mktemp("application") / "copy-ids.jar"
    with zipfile.ZipFile(target, "w") as content:
        for name, code in jar.with_janino(java, jars, source.read_text(encoding="utf-8")).items():
            content.writestr(name, code)
    return target
