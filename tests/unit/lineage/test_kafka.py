"""Topics of Kafka: one name, whether they are read or written."""

from __future__ import annotations

import pytest

from spark_lineage.lineage.datasets import Naming


@pytest.mark.parametrize("servers", ["b1:9092", " b1:9092,b2:9092", "b1:9092 , b2:9092", "B1:9092"])
def test_a_topic_that_is_written_is_the_one_that_is_read(servers: str) -> None:
    naming = Naming()
    (written,) = naming.of_source({"kafka.bootstrap.servers": servers, "topic": "orders"}, "kafka")
    (read,) = naming.of_topics({"kafka.bootstrap.servers": servers, "subscribe": "orders"})
    assert written.key == read.key == ("kafka://b1:9092", "orders")


def test_a_write_whose_rows_say_their_topic_is_to_any_and_a_read_is_of_each() -> None:
    naming = Naming()
    servers = {"kafka.bootstrap.servers": "b1:9092"}
    assert [one.key[1] for one in naming.of_source(servers, "kafka")] == ["*"]
    assert [one.key[1] for one in naming.of_source({**servers, "subscribe": "a, b"}, "kafka")] == ["a", "b"]
