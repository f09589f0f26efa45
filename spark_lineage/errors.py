"""The exception tree.

::

    LineageError
    ├── ConfigError             an option has a value that cannot be used
    ├── AttachError             attach() could not work with this session (only raised with strict=True)
    ├── DeclarationError        @lineage(...) was given something that says no lineage
    ├── DocumentError           a captured document is malformed, truncated or of an unknown format
    ├── InboxError              the inbox folder cannot be used
    ├── StoreError              the lineage tables cannot be used
    │   ├── StoreNotFound       there are no lineage tables at that place
    │   └── SchemaVersionError  the tables are of another schema version
    ├── ExecutableError         a stored plan cannot be run: its signature, its Spark version, or something it needs is not there
    ├── SnapshotError           a checksum that cannot be taken: a type without an encoding, a version that cannot be read
    │   └── VersionGone         nothing is left of what was to be read, and looking again will not help
    ├── TraceError              rows cannot be traced: the plan is not kept, or does not give the row again
    └── QueryError              a question that cannot be answered
        ├── NotFound            nothing of that name is recorded
        └── Ambiguous           the name fits more than one thing; the message lists them

Each message names the thing, the cause and the next step. In the user's own Spark job nothing of this is raised but what a
declaration says wrongly: it is recorded and logged once.
"""

from __future__ import annotations


class LineageError(Exception):
    """The root. `str(error)` is one sentence or two for a person: what, why, what next."""


class ConfigError(LineageError):
    """An option has a value that cannot be used."""


class AttachError(LineageError):
    """attach() could not work with this session. Raised only when the caller asked for it with ``strict=True``."""


class DeclarationError(LineageError):
    """``@lineage(...)`` was given something that says no lineage. Raised where the function is defined."""


class DocumentError(LineageError):
    """A captured document is malformed, truncated or of an unknown format."""


class InboxError(LineageError):
    """The inbox folder cannot be used."""


class StoreError(LineageError):
    """The lineage tables cannot be used."""


class StoreNotFound(StoreError):
    """There are no lineage tables at that place."""


class SchemaVersionError(StoreError):
    """The lineage tables are of a schema version that this release cannot use as they are."""


class ExecutableError(LineageError):
    """A stored plan cannot be run here: its signature, its Spark version, or something that it needs is not there."""


class TraceError(LineageError):
    """A row that cannot be traced: nothing recorded made it, its plan is not kept, or does not give it again."""


class SnapshotError(LineageError):
    """A checksum that cannot be taken: a type that has no canonical encoding, a version that no longer exists."""


class VersionGone(SnapshotError):
    """Nothing is left of what was to be read: its log, its files, or all of the table."""


class QueryError(LineageError):
    """A question that cannot be answered."""


class NotFound(QueryError):
    """Nothing of that name is recorded."""


class Ambiguous(QueryError):
    """The name fits more than one thing.

    `candidates` holds the names that fit, in the order in which the message lists them.
    """

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


def first_line(error: Exception) -> str:
    """What a library says went wrong, without what follows and without a full stop: to go into a message of ours."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".")
