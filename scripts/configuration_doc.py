"""Writes docs/configuration.md from config.OPTIONS; a test holds that the file is fresh.

make docs        or: python scripts/configuration_doc.py
"""

from __future__ import annotations

from pathlib import Path

from spark_lineage.config import OPTIONS, Option

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

HEAD = """\
# Configuration

Made from `spark_lineage/config.py` by `make docs`; change it there.

Each option can be set in four places. The first that says something wins:

1. an argument of the call or the command: `attach(spark, exit_wait_seconds=1)`, `spark-lineage run --set
   exit.wait.seconds=1 -- ...`; in Python, underscores stand for dots;
2. Spark's configuration: `--conf spark.lineage.exit.wait.seconds=1`, `spark-defaults.conf`;
3. the environment: `SPARK_LINEAGE_EXIT_WAIT_SECONDS=1`;
4. `lineage.toml` in the working directory, or the file that `SPARK_LINEAGE_CONFIG` names; dots are tables, or part of a quoted key
   (`"redact.literals" = "hash"`, which alone goes beside a value of `redact` itself).
   [`conf/lineage.toml`](../conf/lineage.toml) has every option with its default.

An option that nobody has set has its default. A value of the wrong type or that is none of the choices, or a key in
`lineage.toml` that is no option, is an error that names the place; in a user's own Spark job it is one warning, and the job goes on without lineage. Lists are
comma separated text everywhere but in `lineage.toml`, where they may be arrays.

| option | type | default | what it does |
| --- | --- | --- | --- |
"""

TAIL = """
## Names in each place

| option | Spark | environment |
| --- | --- | --- |
"""


def document() -> str:
    """The whole text of docs/configuration.md."""
    meanings = "".join(f"| `{option.name}` | {option.kind} | {default(option)} | {option.help} |\n" for option in OPTIONS)
    names = "".join(f"| `{option.name}` | `{option.spark_conf}` | `{option.env}` |\n" for option in OPTIONS)
    return HEAD + meanings + TAIL + names


def default(option: Option) -> str:
    if option.kind == "bool":
        return f"`{str(option.default).lower()}`"
    return f"`{option.default}`" if option.default not in ("", ()) else "none"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    print(f"{TARGET.relative_to(TARGET.parents[1])} is written from {len(OPTIONS)} options")
