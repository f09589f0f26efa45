from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.lineage.datasets import Naming
from spark_lineage.lineage.naming import (
    Place,
    aliases_of,
    exact_place,
    globbed_root,
    location_of,
    place_asked,
    place_of,
    places_of,
    spellings,
    table_parts,
)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/x/orders", ("file", "/x/orders")),
        ("/x/orders/", ("file", "/x/orders")),
        ("file:/x/orders", ("file", "/x/orders")),
        ("file:///x/orders/", ("file", "/x/orders")),
        ("file:/x//orders", ("file", "/x/orders")),
        ("s3://bucket/a/b", ("s3://bucket", "a/b")),
        ("s3a://bucket/a/b/", ("s3://bucket", "a/b")),
        ("s3n://bucket", ("s3://bucket", "/")),
        ("gs://bucket/a", ("gs://bucket", "a")),
        ("abfss://box@account.dfs.core.windows.net/a/b", ("abfss://box@account.dfs.core.windows.net", "a/b")),
        ("hdfs://name:8020/a/b", ("hdfs://name:8020", "/a/b")),
        ("dbfs:/mnt/a", ("dbfs", "/mnt/a")),
        ("s3://user:secret@bucket/a", ("s3://bucket", "a")),
        ("/x/../y/./orders/.", ("file", "/y/orders")),
        ("/../x", ("file", "/x")),
        ("file://localhost/x", ("file", "/x")),
        ("file://Nas/x", ("file://nas", "/x")),
        ("/X/Orders", ("file", "/X/Orders")),
        ("/x/a b=ü%20/t", ("file", "/x/a b=ü%20/t")),
        ("wasbs://box@Account.blob.core.windows.net/a", ("wasbs://box@account.blob.core.windows.net", "a")),
        ("abfs://box@account.dfs.core.windows.net//a/", ("abfss://box@account.dfs.core.windows.net", "a")),
        ("hdfs://Name:8020/a/../b", ("hdfs://name:8020", "/b")),
    ],
)
def test_a_place_is_named_as_openlineage_names_it(path: str, key: tuple[str, str]) -> None:
    assert place_of(path).key == key


@pytest.mark.parametrize(
    ("path", "name", "partition"),
    [
        ("/x/dt=2026-01-01", "/x", "dt=2026-01-01"),
        ("/x/dt=2026-01-01/part.csv", "/x", "dt=2026-01-01"),
        ("/x/dt=2026-01-01/hour=3/part-0000", "/x", "dt=2026-01-01/hour=3"),
        ("/x/run[1]", "/x/run[1]", None),
        ("/x/{a}/dt=1", "/x/{a}", "dt=1"),
        ("/x/part-00000-ef646b71-edfc-43c0-a1b3-4fbce9706e19-c000.csv", "/x", None),
        ("/x/dt=1/part-00003-ef646b71.c000.snappy.parquet", "/x", "dt=1"),
        ("/x/part-1.csv", "/x/part-1.csv", None),
        ("/x/a.csv", "/x/a.csv", None),
        ("/env=prod/orders", "/env=prod/orders", None),
        ("/dt=1", "/", "dt=1"),
    ],
)
def test_partitions_fold_to_their_root(path: str, name: str, partition: str | None) -> None:
    assert place_of(path) == Place("file", name, partition)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/x/*.csv", ("file", "/x")),
        ("/x/{a,b}/c", ("file", "/x")),
        ("/x/dt=*/y", ("file", "/x")),
        ("/x/dt=1/*", ("file", "/x")),
        ("s3a://b/[ab]/c", ("s3://b", "/")),
        ("/*", ("file", "/")),
    ],
)
def test_a_glob_that_was_asked_for_folds_to_the_folder_that_it_searches(path: str, key: tuple[str, str]) -> None:
    assert place_asked(path).key == key


@pytest.mark.parametrize("path", ["/snap/dt=2024-01-01", "/out/run[1]", "/out/{a}", "/x/part-00000-1.parquet"])
def test_an_exact_place_is_itself(path: str) -> None:
    assert exact_place(f"file:{path}") == Place("file", path)


def test_files_of_one_folder_are_the_folder_and_folders_are_themselves() -> None:
    assert [place.name for place in places_of(["/x/a.csv", "/x/b.csv"])] == ["/x"]
    assert [place.name for place in places_of(["/x/a.csv"])] == ["/x/a.csv"]
    assert [place.name for place in places_of(["/x/a", "/x/b"])] == ["/x/a", "/x/b"]
    assert [place.name for place in places_of(["/x/d=1", "/x/d=2"])] == ["/x"]
    folders = ["file:/x/a_1.parquet", "file:/x/a_2.parquet"]
    assert [place.name for place in places_of(folders, folders)] == ["/x/a_1.parquet", "/x/a_2.parquet"]
    assert [place.name for place in places_of([*folders, "/x/b.csv"], folders[:1])] == ["/x/a_1.parquet", "/x"]


@pytest.mark.parametrize(
    ("asked", "paths", "root"),
    [
        ("/x/*.csv", ["file:/x/a.csv"], "/x"),
        ("s3a://b/x/2026-*/", ["s3a://b/x/2026-01"], "s3a://b/x"),
        ("in/x/*.csv", ["file:/home/me/in/x/a.csv"], "file:/home/me/in/x"),
        ("./in/*.csv", ["file:/home/me/in/a.csv"], "file:/home/me/in"),
        ("*.csv", ["file:/home/me/a.csv"], None),
        ("/x/a.csv", ["file:/x/a.csv"], None),
        (None, ["file:/x/a.csv"], None),
        ("/x/run[1]", ["file:/x/run[1]"], None),
        ("/x/run\\[1\\]", ["file:/x/run[1]"], None),
    ],
)
def test_a_glob_is_the_folder_that_it_searches(asked: str | None, paths: list[str], root: str | None) -> None:
    assert globbed_root(asked, paths) == root


def test_the_location_of_a_folded_place_keeps_its_spelling() -> None:
    assert location_of(place_of("s3a://b/x/dt=1/f.parquet"), "s3a://b/x/dt=1/f.parquet") == "s3a://b/x"
    assert location_of(place_of("file:/x//y"), "file:/x//y") == "file:/x/y"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("s3://data-lake/data", "s3://data-lake/data"),
        ("s3a://bucket/t", "s3a://bucket/t"),
        ("s3a://bucket/t/dt=1", "s3a://bucket/t"),
        ("gs://b/b/", "gs://b/b"),
        ("gs://b//b/dt=1", "gs://b/b"),
        ("s3a://b/x/../y", "s3a://b/y"),
        ("hdfs://data/data", "hdfs://data/data"),
        ("abfss://t@account.dfs.core.windows.net/t", "abfss://t@account.dfs.core.windows.net/t"),
        ("dbfs:/dbfs", "dbfs:/dbfs"),
        ("s3a://b", "s3a://b/"),
        ("/x/dt=1", "file:/x"),
    ],
)
def test_the_location_has_the_name_behind_the_bucket(path: str, location: str) -> None:
    assert location_of(place_of(path), path) == location


@pytest.mark.parametrize(
    ("parts", "database", "names"),
    [
        (("t",), "default", ("spark_catalog.default.t", "default.t", "t")),
        (("default", "t"), "default", ("spark_catalog.default.t", "default.t", "t")),
        (("spark_catalog", "sales", "t"), "default", ("spark_catalog.sales.t", "sales.t")),
        (("spark_catalog", "sales", "t"), "sales", ("spark_catalog.sales.t", "sales.t", "t")),
        (("other", "sales", "t"), "sales", ("other.sales.t",)),
        ((), "default", ()),
    ],
)
def test_a_table_has_its_qualified_name_and_the_shorter_ones(
    parts: tuple[str, ...], database: str, names: tuple[str, ...]
) -> None:
    assert aliases_of(parts, database) == names


def test_the_parts_of_a_quoted_name() -> None:
    assert table_parts("spark_catalog.default.`a.b`") == ("spark_catalog", "default", "a.b")


segments = st.lists(
    st.text(alphabet="ab1._-", min_size=1, max_size=4).filter(lambda text: set(text) != {"."}), min_size=1, max_size=4
)


@given(segments, st.sampled_from(["", "file:", "file://"]), st.sampled_from(["", "/", "//"]))
def test_every_spelling_of_a_path_is_one_dataset(parts: list[str], prefix: str, end: str) -> None:
    assert place_of(prefix + "/" + "/".join(parts) + end) == place_of("/" + "/".join(parts))


@given(segments, st.integers(0, 9))
def test_naming_a_named_dataset_changes_nothing(parts: list[str], day: int) -> None:
    place = place_of("/" + "/".join(parts) + f"/dt={day}")
    assert place_of(place.name).key == place.key


def test_spellings_of_a_scheme() -> None:
    assert spellings("s3a") == ("s3a", "s3", "s3n")
    assert spellings("abfs") == ("abfs", "abfss")
    assert spellings("hdfs") == ("hdfs",)  # webhdfs has another port


@pytest.mark.parametrize("parts", [("delta", "/lake/t"), ("spark_catalog", "delta", "file:/lake/t"), ("parquet", "/lake/t")])
def test_a_path_that_stands_for_a_name_is_a_path(parts: tuple[str, ...]) -> None:
    """As CREATE TABLE IF NOT EXISTS has it, of a table that is there: no commit says where it is."""
    one = Naming().of_name(parts)
    assert (one.key, one.format) == (("file", "/lake/t"), parts[-2])
