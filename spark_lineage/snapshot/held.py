"""Whether files without versions are those that were read then: by the listing that was recorded, on any file system.

On a local disk Python lists them, elsewhere the driver of a Spark session does, with the credentials that it has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ..config import local_path
from ..errors import SnapshotError
from ..lineage.naming import exact_place, spellings
from ..store.listing import MOST_FILES, ListedFile, fingerprint_of
from .unversioned import CHANGED, check_files, recorded_files
from .with_spark import first_line_of_spark

_STATUS = re.compile(r"\{path=(.*); isDirectory=false; length=(\d+); .*?modification_time=(\d+);", re.DOTALL)
"""As Hadoop's FileStatus writes itself: one text for all files instead of three calls for each."""
_BREAK = "\x00"


class Unlisted(SnapshotError):
    """Nothing here can list the files: whether they have changed is not known."""


def hold_files(spark: SparkSession, place: str, fingerprint: str) -> None:
    """Raises SnapshotError where the files of a dataset are not those any more that a fingerprint stands for, Unlisted where that cannot be told."""
    if local_path(place) is not None:
        recorded_files(exact_place(place).key[1], fingerprint)
    else:
        # folders that are no partitions are read with recursiveFileLookup alone
        _hold(spark, [place], fingerprint, (False, True))


def hold_batch(spark: SparkSession, places: Sequence[str], fingerprint: str) -> None:
    """The same of some files, as a micro-batch read them."""
    if any(local_path(place) is not None for place in places):
        check_files(places, fingerprint)
    else:
        _hold(spark, places, fingerprint, (False,))


def _hold(spark: SparkSession, places: Sequence[str], fingerprint: str, ways: Sequence[bool]) -> None:
    for everything in ways:
        files = listed_by_spark(spark, places, everything)
        for scheme in spellings(places[0].partition(":")[0]):
            if files and fingerprint_of(files, f"{scheme}:").partition(":")[2] == fingerprint.partition(":")[2]:
                return
    raise SnapshotError(CHANGED)


def listed_by_spark(spark: SparkSession, places: Sequence[str], everything: bool) -> tuple[ListedFile, ...]:
    """As a scan has them, without what is before the colon of their paths; no execution, so that nothing is recorded. None of more
    than `MOST_FILES`. Raises Unlisted."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", everything).option("__globPaths__", "false")
    try:
        relation = reader.load(list(places))._jdf.queryExecution().analyzed().collectLeaves().head().relation()
        files = relation.location().allFiles()
        found = files.mkString(_BREAK) if 0 < files.size() <= MOST_FILES else ""
    except (PySparkException, Py4JJavaError) as error:
        condition = error.getCondition() if isinstance(error, PySparkException) else None
        if condition in ("PATH_NOT_FOUND", "CONFLICTING_DIRECTORY_STRUCTURES"):  # Spark reads none there in this way
            return ()
        raise Unlisted(f"{places[0]} cannot be listed: {first_line_of_spark(error)}") from error
    told = [_STATUS.search(text) for text in found.split(_BREAK)] if found else []
    if None in told:
        raise Unlisted(f"{places[0]} cannot be listed: its client tells of its files in another form")
    files = [(one[1].partition(":")[2], int(one[2]), int(one[3])) for one in told if one is not None]
    return tuple(ListedFile(*file) for file in files if file[1])
