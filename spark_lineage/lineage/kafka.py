"""Kafka's topics as datasets: ``kafka://<first broker>`` and the topic."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .datasets import DatasetRef
from .naming import Place


def topics_of(options: Mapping[str, str], end: str | None = None) -> tuple[DatasetRef, ...]:
    """The topics that a source was asked for; options with keys in lower case. What a pattern came to, the offsets that were
    reached say (`end`, JSON by topic and partition); without them the pattern stands for itself."""
    named = options.get("subscribe")
    if named:
        topics = tuple(dict.fromkeys(topic.strip() for topic in named.split(",") if topic.strip()))
    else:
        topics = _keys(end) or _keys(options.get("assign")) or (options.get("subscribepattern", "unknown"),)
    return tuple(DatasetRef(Place(broker_of(options), topic), format="kafka") for topic in topics)


def broker_of(options: Mapping[str, str]) -> str:
    """The namespace of a cluster: its first bootstrap server."""
    return "kafka://" + options.get("kafka.bootstrap.servers", "").split(",")[0].strip()


def asked_offsets(options: Mapping[str, str]) -> tuple[str | None, str | None]:
    """From where to where a read that is no stream was asked to go: offsets by partition, or `earliest` and `latest`."""
    start = options.get("startingoffsets") or options.get("startingtimestamp") or "earliest"
    return start, options.get("endingoffsets") or options.get("endingtimestamp") or "latest"


def _keys(text: str | None) -> tuple[str, ...]:
    try:
        found = json.loads(text or "null")
    except ValueError:
        return ()
    return tuple(sorted(str(key) for key in found)) if isinstance(found, Mapping) else ()
