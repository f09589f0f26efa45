"""Writes spark_lineage/lineage/catalyst_names.py: the classes of plan nodes and expressions that some releases of Spark and Delta have.

    python scripts/catalyst_classes.py 4.0 JAR... -- 4.1 JAR...

The jars of each release, of its first and its last patch where those differ: spark-catalyst, spark-sql, spark-sql-api, spark-hive, spark-mllib, spark-connect, spark-pipelines, spark-avro, and
delta-spark. `tests/unit/lineage/test_coverage.py` tells when the installed ones have a class that is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from class_files import EXPRESSION, LOGICAL_PLAN, classes_in, concrete

TARGET = Path(__file__).resolve().parents[1] / "spark_lineage" / "lineage" / "catalyst_names.py"
HEAD = '''\
"""The concrete classes of plan nodes and expressions in Spark and Delta, by package. Written by scripts/catalyst_classes.py.

One that only some releases have says which: ``TimeAdd:4.0``. What is done with each of them, `catalyst.py` says.
"""

from __future__ import annotations

from typing import Final

'''


def written(releases: Mapping[str, Iterable[Path]]) -> str:
    """The text of the module."""
    found: dict[str, dict[str, set[str]]] = {LOGICAL_PLAN: {}, EXPRESSION: {}}
    for release, jars in releases.items():
        classes = {one.name: one for one in classes_in(jars)}
        for root, releases_of in found.items():
            for name in concrete(classes, root):
                releases_of.setdefault(name, set()).add(release)
    parts = [HEAD, f"RELEASES: Final = {quoted(releases)}\n\n"]
    parts.append(table("NODES", found[LOGICAL_PLAN], set(releases)))
    parts.append("\n" + table("EXPRESSIONS", found[EXPRESSION], set(releases)))
    return "".join(parts)


def table(title: str, found: Mapping[str, set[str]], everywhere: set[str]) -> str:
    lines = [f"{title}: Final[dict[str, str]] = {{\n"]
    for package, names in groupby(
        sorted(found, key=lambda name: name.rpartition(".")[::2]), lambda name: name.rpartition(".")[0]
    ):
        words = (name.rpartition(".")[2] + ("" if found[name] == everywhere else f":{min(found[name])}") for name in names)
        lines.append(f'    "{package}": """\n' + wrapped(words) + '    """,\n')
    return "".join((*lines, "}\n"))


def wrapped(words: Iterable[str]) -> str:
    rows = [""]
    for word in words:
        if len(rows[-1]) + len(word) > 110:
            rows.append("")
        rows[-1] += " " + word
    return "".join(f"       {row}\n" for row in rows)


def quoted(texts: Iterable[str]) -> str:
    return "(" + ", ".join(f'"{text}"' for text in texts) + ")"


if __name__ == "__main__":
    releases: dict[str, list[Path]] = {}
    groups = " ".join(sys.argv[1:]).split(" -- ")
    for release, *jars in (group.split() for group in groups):
        releases[release] = [Path(jar) for jar in jars]
    if not all(releases.values()):
        raise SystemExit(__doc__)
    TARGET.write_text(written(releases), encoding="utf-8")
