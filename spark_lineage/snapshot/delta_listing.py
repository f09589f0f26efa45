"""What lies in the folder of a Delta log, and which versions can be told from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.fs as pafs

from ..errors import SnapshotError, VersionGone, first_line
from .delta import absolute, opened

MILLISECOND = timedelta(milliseconds=1)

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(
    r"^(\d{20})\.checkpoint(?:\.(?P<part>\d{10})\.(?P<parts>\d{10})|\.(?P<uuid>[0-9a-f-]{36}))?\.(parquet|json)$"
)


@dataclass(frozen=True)
class Listing:
    """What lies in the log's folder: of each commit, when it was written; the versions that have a whole checkpoint."""

    commits: dict[int, datetime]
    checkpoints: dict[int, tuple[pafs.FileInfo, ...]]
    files: dict[int, pafs.FileInfo]

    @property
    def newest(self) -> int:
        return max([*self.commits, *self.checkpoints])

    def base(self, version: int) -> int | None:
        """The checkpoint that the version is made from, -1 for none needed; None where its log is gone."""
        first = version
        while first in self.commits and first not in self.checkpoints:
            first -= 1
        return first if first in self.checkpoints or first == -1 else None

    def readable(self) -> list[int]:
        """The versions that the log still tells, ascending."""
        found: list[int] = []
        for version in sorted({*self.commits, *self.checkpoints}):
            follows = (found and found[-1] == version - 1) or version == 0
            if version in self.checkpoints or (follows and version in self.commits):
                found.append(version)
        return found

    def cleaned_at(self, version: int, kept: timedelta) -> datetime | None:
        """The earliest time at which log clean-up may take what the version needs. None for the newest.

        All before a checkpoint goes once the last commit before it is old enough. A checkpoint of the newest version may be
        written at any time. Delta for Spark waits for midnight UTC beyond that, delta-rs does not.
        """
        if version >= self.newest:
            return None
        later = min((checkpoint for checkpoint in self.checkpoints if checkpoint > version), default=self.newest)
        last = max((commit for commit in self.commits if commit < later), default=None)
        return None if last is None else self.times[last] + kept

    @cached_property
    def times(self) -> dict[int, datetime]:
        """When each commit was made, as Delta counts it: later than the one before, whatever the clocks said."""
        found: dict[int, datetime] = {}
        before: datetime | None = None
        for version in sorted(self.commits):
            at = self.commits[version]
            before = found[version] = at if before is None or at > before else before + MILLISECOND
        return found


def list_log(location: str) -> Listing:
    """What is in the log of the table at a location. Raises VersionGone where there is none, SnapshotError where it cannot be looked at."""
    place = absolute(location)
    system, folder = opened(f"{place}/_delta_log")
    try:
        infos = system.get_file_info(pafs.FileSelector(folder))
    except FileNotFoundError as error:
        there = system.get_file_info([folder.removesuffix("/_delta_log")])[0].type != pafs.FileType.NotFound
        raise VersionGone(
            f"{location} is no Delta table any more: the folder is there, its log is not"
            if there
            else f"nothing is at {location} any more: the table was dropped or moved"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise SnapshotError(f"the log of {location} cannot be looked at: {first_line(error)}") from error
    commits: dict[int, datetime] = {}
    files: dict[int, pafs.FileInfo] = {}
    parts: dict[tuple[int, int, str], list[pafs.FileInfo]] = {}
    for info in infos:
        if found := _COMMIT.match(info.base_name):
            commits[int(found[1])] = info.mtime.astimezone(UTC)
            files[int(found[1])] = info
        elif found := _CHECKPOINT.match(info.base_name):
            parts.setdefault((int(found[1]), int(found["parts"] or 1), found["uuid"] or ""), []).append(info)
    checkpoints = {
        version: tuple(sorted(found, key=lambda info: info.base_name))
        for (version, count, _), found in sorted(parts.items(), key=lambda part: part[0])
        if len(found) == count and all(info.size for info in found)
    }
    listing = Listing(commits, checkpoints, files)
    if not listing.readable():
        raise VersionGone(f"the log of {location} is not whole: none of its versions can be read")
    return listing
