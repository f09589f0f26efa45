"""What the repository says about itself is true: documents, commands, options, links, versions."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import spark_lineage
from spark_lineage import config
from spark_lineage.cli import main as cli
from spark_lineage.ingest import APPENDED, CONTENT_NAMED, UPSERTED
from spark_lineage.store.schemas import TABLES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# The home of root or a workspace in a text is one machine's; examples take /data, /opt or /var.
MACHINE_PATH = re.compile(r"(?<![\w.*])/(?:root|Users|work|workspace)/\w")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b|^(?:<{7}|>{7}) ", re.MULTILINE)


def text_files() -> list[Path]:
    """All files that are or would be under version control, but for tables of numbers and other binaries."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:1024]]


@pytest.mark.parametrize("pattern", [MACHINE_PATH, UNFINISHED], ids=["machine paths", "unfinished work"])
def test_no_file_holds_what_does_not_belong_there(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()!r}"
        for path in text_files()
        if path != Path(__file__)
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found


def test_configuration_document_is_fresh() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "configuration_doc.py"))["document"]()
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == written, "run `make docs`"


def test_example_lineage_toml_has_every_option_with_its_default(tmp_path: Path) -> None:
    example = (ROOT / "conf" / "lineage.toml").read_text(encoding="utf-8")
    assert not tomllib.loads(example), "as it is shipped, it sets nothing"
    uncommented = re.sub(r"^#(?=\S)", "", example, flags=re.MULTILINE)
    (tmp_path / "lineage.toml").write_text(uncommented, encoding="utf-8")
    settings = config.load(environment={}, directory=tmp_path)
    assert set(settings.origins.values()) == {"lineage.toml"}
    assert dict(settings.values) == dict(config.load(environment={}, directory=tmp_path / "elsewhere").values)


def test_versions_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?([^\]\s]+)", changelog, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert PROJECT["project"]["version"] == spark_lineage.__version__
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", heading) for heading in headings[1:])


@pytest.mark.parametrize("name", [name for name in spark_lineage.__all__ if not name.startswith("__")])
def test_public_names_are_documented_and_tested(name: str) -> None:
    used = re.compile(rf"spark_lineage\.{name}\b|from spark_lineage import [^\n]*\b{name}\b")
    documents = [path for path in DOCUMENTS if used.search(path.read_text(encoding="utf-8"))]
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if used.search(path.read_text(encoding="utf-8"))]
    assert documents, f"spark_lineage.{name} is in no document"
    assert tests, f"spark_lineage.{name} is in no test"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_commands_are_documented(name: str) -> None:
    written = re.compile(rf"spark-lineage {name}\b")
    assert any(written.search(path.read_text(encoding="utf-8")) for path in DOCUMENTS), (
        f"`spark-lineage {name}` is in no document"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_exist(document: Path) -> None:
    for line in shell_lines(document):
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert set(words[1:2]) <= make_targets(), f"{line!r}: there is no such target in the Makefile"
        if words[:1] == ["spark-lineage"]:
            complaint = what_is_wrong_with(words[1:])
            assert complaint is None, f"{line!r}: {complaint}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_in_documents_lead_somewhere(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    broken = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not leads_somewhere(document, target)]
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tables_in_documents_have_a_header_and_rows_as_wide(document: Path) -> None:
    """A row without a header above it is shown as plain text."""
    blocks = re.findall(r"(?:^\|.*\n?)+", without_code(document.read_text(encoding="utf-8")), flags=re.MULTILINE)
    rows = [[re.sub(r"`[^`]*`", "", row).count("|") for row in block.splitlines()] for block in blocks]
    assert not [block for block in blocks if not re.match(r".*\n\|[-:| ]+\|$", block, flags=re.MULTILINE)]
    assert not [block for block, widths in zip(blocks, rows, strict=True) if len(set(widths)) != 1]


def test_the_checks_of_commands_can_fail() -> None:
    assert what_is_wrong_with(["runs", "--json"]) is None
    assert what_is_wrong_with(["--store", "s", "runs"]) is None
    assert what_is_wrong_with(["rnus"]) == "there is no such command"
    assert what_is_wrong_with(["runs", "--colour"]) == "runs has no option --colour"
    assert what_is_wrong_with(["snapshot", "take", "t", "--version", "1"]) is None
    assert what_is_wrong_with(["snapshot", "tkae", "t"]) == "there is no such command"
    assert what_is_wrong_with(["snapshot", "take", "t", "--colour"]) == "snapshot take has no option --colour"
    written = ["make demo  # now", "spark-lineage show 0195a3f2", "spark-lineage runs", "spark-lineage doctor"]
    assert (
        list(
            shell_lines_of(
                "```sh\nmake demo  # now\n```\n```\nspark-lineage runs    what ran\n$ spark-lineage show 0195a3f2\nrun\n```\n`spark-lineage doctor`"
            )
        )
        == written
    )
    assert not leads_somewhere(ROOT / "README.md", "docs/nowhere.md")
    assert not leads_somewhere(ROOT / "README.md", "docs/configuration.md#no-such-heading")


def shell_lines(document: Path) -> Iterator[str]:
    return shell_lines_of(document.read_text(encoding="utf-8"))


def shell_lines_of(text: str) -> Iterator[str]:
    """The commands in a document's fenced shell blocks; in blocks with output, the lines after a dollar sign; in lists of
    commands, what stands before the remark; and those within a sentence."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        joined = block.replace("\\\n", " ").splitlines()
        if language in ("sh", "shell", "bash"):
            yield from (line.strip() for line in joined if line.strip() and not line.startswith("#"))
        if language in ("console", "text", ""):
            yield from (line[2:].strip() for line in joined if line.startswith("$ "))
            yield from (re.split(r"\s{2,}", line)[0] for line in joined if line.startswith(("spark-lineage ", "make ")))
    yield from (command for command in re.findall(r"`(spark-lineage [^`]+)`", without_code(text)) if "..." not in command)


def what_is_wrong_with(words: list[str]) -> str | None:
    """None when the group and the named command know the options; arguments are not looked at."""
    while words[:1] in (["--store"], ["--json"], ["--debug"]):  # these may stand before the command
        words = words[2 if words[0] == "--store" else 1 :]
    if not words or words[0] in ("--version", "--help"):
        return None
    command = cli.commands.get(words[0])
    if isinstance(command, click.Group) and words[1:] and words[1] != "COMMAND":
        words = [f"{words[0]} {words[1]}", *words[2:]]
        command = command.commands.get(words[0].split()[1])
    if command is None:
        return "there is no such command"
    options = {name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts}
    for word in words[1:]:
        if word == "--":
            break
        if word.startswith("--") and word.split("=")[0] not in options | {"--help"}:
            return f"{words[0]} has no option {word.split('=')[0]}"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_options_columns_and_files_in_documents_exist(document: Path) -> None:
    assert what_is_named_and_is_not(document.read_text(encoding="utf-8")) == []


def test_the_check_of_names_can_fail() -> None:
    there = "`spark.lineage.reads`, `runs.status`, `test_cli.py`, `tests/unit`, SPARK_LINEAGE_READS"
    gone = ["spark.lineage.read", "SPARK_LINEAGE_READ", "runs.state", "test_clis.py", "scripts/no.py"]
    named = f"{there} `spark.lineage.read=1`, `runs.state`, `test_clis.py`, `scripts/no.py`, SPARK_LINEAGE_READ"
    assert sorted(what_is_named_and_is_not(named)) == sorted(gone)


def what_is_named_and_is_not(text: str) -> list[str]:
    """Options, environment variables, columns of the tables and files of the project that a text names and that are not there."""
    options = {option.name for option in config.OPTIONS}
    variables = {option.env for option in config.OPTIONS} | {f"SPARK_LINEAGE_{name}" for name in ("CONFIG", "KAFKA", "ORACLE")}
    gone = [
        found
        for found in re.findall(r"spark\.lineage\.[a-z.]*[a-z]", text)
        if found.removeprefix("spark.lineage.") not in options
    ]
    gone += [found for found in re.findall(r"SPARK_LINEAGE_[A-Z_]*[A-Z]", text) if found not in variables]
    for table, column in re.findall(r"`(\w+)\.(\w+)`", text):
        if table in TABLES and column not in TABLES[table].arrow.names and f"{table}.{column}" not in options:
            gone.append(f"{table}.{column}")
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    gone += [found for found in re.findall(r"`(test_\w+\.py)`", text) if found not in tests]
    paths = re.findall(r"`((?:tests|benchmarks|scripts|jobs|docs|spark_lineage)/[\w/.-]*)`", text)
    return gone + [path for path in paths if not (ROOT / path).exists()]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def leads_somewhere(document: Path, target: str) -> bool:
    if target.startswith(("http://", "https://", "mailto:")):
        return True
    name, _, anchor = target.partition("#")
    path = document.parent / name if name else document
    if not path.exists():
        return False
    return not anchor or anchor in anchors(path)


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(path.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def test_the_wheel_carries_everything_that_is_no_module() -> None:
    """Files of the package that setuptools would leave out: what is not Python, and Python outside of a package."""
    package = ROOT / "spark_lineage"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["spark_lineage"]
    carried = {path for pattern in declared for path in package.glob(pattern)}
    needed = {
        path
        for path in package.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and (path.suffix != ".py" or not (path.parent / "__init__.py").exists())
    }
    assert needed == carried
    assert package / "capture" / "autoload" / "sitecustomize.py" in needed


def test_the_order_in_the_docs_is_the_order_of_the_code() -> None:
    text = (ROOT / "docs" / "ingestion.md").read_text(encoding="utf-8")
    told = text.partition("The order is ")[2].partition(" last")[0]
    assert re.findall(r"`(\w+)`", told) == [*CONTENT_NAMED, *UPSERTED, *APPENDED]
    of_no_document = {
        "snapshots",
        "snapshot_files",
        "snapshot_parts",
        "archives",
        "preserved",
        "row_lineage",
        "row_samples",
        "replays",
    }
    assert set(TABLES) - of_no_document == {
        *CONTENT_NAMED,
        *UPSERTED,
        *APPENDED,
    }
    names = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    assert f"of these {names[len(CONTENT_NAMED)]} only" in told
    assert f"the {names[len(CONTENT_NAMED)]} content-named tables" in text
    assert f"each of {names[len((*CONTENT_NAMED, *UPSERTED, *APPENDED))]} tables" in text
