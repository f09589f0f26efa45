"""Kafka's topics as places: ``kafka://<first broker>`` and the topic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from .naming import Place

_READ: Final = frozenset({"subscribe", "assign", "subscribepattern"})


def topics_of(options: Mapping[str, str], end: str | None = None) -> tuple[Place, ...]:
    """The topics that a source was asked for; options with keys in lower case. What a pattern came to, the offsets that were
    reached say (`end`, JSON by topic and partition); without them the pattern stands for itself."""
    named = options.get("subscribe")
    if named:
        topics = tuple(dict.fromkeys(topic.strip() for topic in named.split(",") if topic.strip()))
    else:
        topics = _keys(end) or _keys(options.get("assign")) or (options.get("subscribepattern", "unknown"),)
    return tuple(Place(_broker(options), topic) for topic in topics)


def written_of(options: Mapping[str, str]) -> tuple[Place, ...]:
    """The topic that a write was given; without one each row says its own, which is ``*``. Options of a read are its topics."""
    if options.get("topic"):
        return (Place(_broker(options), options["topic"].strip()),)
    return topics_of(options) if _READ & options.keys() else (Place(_broker(options), "*"),)


def _broker(options: Mapping[str, str]) -> str:
    """The namespace of a cluster: its first bootstrap server. A host has no upper and lower case."""
    return "kafka://" + options.get("kafka.bootstrap.servers", "").split(",")[0].strip().lower()


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
