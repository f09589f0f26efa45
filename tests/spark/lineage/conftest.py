"""An attached session, and the Java that runs a query over rows that change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle import LOCAL, Bench
from worlds import world_of

from spark_lineage.capture.attach import attach, detach

RUNNER = Path(__file__).with_name("Runner.java")


@pytest.fixture(scope="module")
def bench(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Bench]]:
    """The bench of a world, by its number; it is made when it is first asked for."""
    folder = tmp_path_factory.mktemp("oracle")
    detach(spark)
    runner = runner_of(spark)
    attachment = attach(spark, inbox=str(folder / "inbox"), ingest="none", executables="off", strict=True)
    made: dict[int, Bench] = {}

    def of(number: int) -> Bench:
        if number not in made:
            made[number] = Bench(spark, runner, attachment, world_of(number), folder)
        return made[number]

    yield of
    detach(spark)
    for name in LOCAL:  # the session is that of all tests in this process
        spark.sparkContext.setLocalProperty(name, None)


def runner_of(spark: Any) -> Any:
    jvm = spark.sparkContext._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    compiler.cook(RUNNER.read_text(encoding="utf-8"))
    return compiler.getClassLoader().loadClass("org.perturbation.Runner").getConstructors()[0].newInstance(None)
