"""What the bridge sees behind the announcement that the application is over, until its queue takes no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.capture.attach import attach, detach

NAME = "looked at"


def field(owner: Any, kind: Any, name: str) -> Any:
    found = next(one for one in kind.getDeclaredFields() if one.getName().split("$")[-1] == name)
    found.setAccessible(True)
    return found.get(owner)


@pytest.fixture
def queue(spark: Any, tmp_path: Path) -> Iterator[dict[str, Any]]:
    detach(spark)
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    gateway, jvm = spark.sparkContext._gateway, spark.sparkContext._jvm
    context = spark.sparkContext._jsc.sc()
    bus = context.listenerBus()
    made = jvm.org.apache.spark.scheduler.AsyncEventQueue(NAME, context.conf(), field(bus, bus.getClass(), "metrics"), bus)
    queues = field(bus, bus.getClass(), "queues")
    queues.add(made)

    def array(of: Any, *values: Any) -> Any:
        new = gateway.new_array(of, len(values))
        for at, value in enumerate(values):
            new[at] = value
        return new

    ahead = attachment.bridge.getClass().getClassLoader().loadClass("org.sparklineage.bridge.Ahead")
    (constructor,) = ahead.getDeclaredConstructors()
    constructor.setAccessible(True)
    methods = {one.getName(): one for one in ahead.getDeclaredMethods()}
    for method in methods.values():
        method.setAccessible(True)
    one = constructor.newInstance(array(jvm.Object, context, NAME))
    bus_stopped = field(bus, bus.getClass(), "stopped")
    try:
        yield {
            "post": made.post,
            "stopped": field(made, made.getClass(), "stopped"),
            "bus_stopped": bus_stopped,
            "event": jvm.org.apache.spark.scheduler.SparkListenerExecutorRemoved(1, "1", "gone"),
            "waits": lambda millis: methods["waits"].invoke(one, array(jvm.Object, jvm.System.currentTimeMillis() + millis)),
            "next": lambda: methods["next"].invoke(one, array(jvm.Object)),
        }
    finally:
        bus_stopped.set(False)
        queues.remove(made)
        detach(spark)


def test_an_event_that_was_on_its_way_when_the_bus_stopped(queue: dict[str, Any]) -> None:
    """Whoever posts has asked the bus before it stopped, and puts the event into one queue after the other."""
    queue["bus_stopped"].set(True)
    said: list[Any] = []
    waiting = threading.Thread(target=lambda: said.append((queue["waits"](60_000), queue["next"]() is not None)))
    waiting.start()
    waiting.join(0.3)
    assert said == [], "it waits until its own queue is stopped"
    queue["post"](queue["event"])
    waiting.join(60)
    assert said == [(True, True)]
    queue["stopped"].set(True)
    assert queue["waits"](60_000) is False


def test_it_waits_no_longer_than_it_may(queue: dict[str, Any]) -> None:
    assert queue["waits"](50) is False
