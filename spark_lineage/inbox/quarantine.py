"""Documents that cannot be ingested: kept aside with the reason, counted, and put back when a person asks for it.

``quarantine/<run>/<document>`` is the document as it was, ``<document>.reason.json`` beside it says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .. import faults
from .folder import InboxDocument, InboxFolder

_REASON = ".reason.json"


@dataclass(frozen=True)
class QuarantinedDocument:
    """A document in quarantine. `reason` is one sentence; `since` is UTC, None where the note beside it is lost."""

    run: str
    name: str
    reason: str
    since: datetime | None
    tool_version: str | None


def quarantine(inbox: InboxFolder, document: InboxDocument, reason: str, tool_version: str) -> None:
    """Moves a document out of the way. The reason is written first, so that no document is ever there without one."""
    target = _free_target(inbox, document)
    note = {
        "document": document.path,
        "reason": reason,
        "tool_version": tool_version,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    inbox.replace(target + _REASON, json.dumps(note, indent=2).encode(), durable=False)
    faults.point("quarantine.noted")
    inbox.move(document.path, target)
    faults.point("quarantine.moved")


def is_quarantined(inbox: InboxFolder, document: InboxDocument) -> bool:
    """Whether a document of this name is in quarantine."""
    return inbox.size(_target(document)) is not None


def quarantined(inbox: InboxFolder) -> Iterator[QuarantinedDocument]:
    """The documents in quarantine, by run and number."""
    for run in inbox.folders("quarantine"):
        for name in inbox.names(f"quarantine/{run}"):
            if not name.endswith(_REASON):
                yield _described(inbox, run, name)


def put_back(inbox: InboxFolder) -> int:
    """Puts the documents in quarantine back into their runs' folders, to be tried again. Gives how many there were.

    A document whose number has another one waiting stays. Only who holds the inbox's lock calls this.
    """
    count = 0
    for found in list(quarantined(inbox)):
        source = f"quarantine/{found.run}/{found.name}"
        target = f"{found.run}/{_document_name(found.name)}"
        if inbox.size(target) is not None:
            continue
        count += inbox.move(source, target)
        inbox.remove(source + _REASON)
        inbox.remove_folder(f"quarantine/{found.run}", closed=True)
    return count


def _described(inbox: InboxFolder, run: str, name: str) -> QuarantinedDocument:
    try:
        note = json.loads(inbox.read(f"quarantine/{run}/{name}{_REASON}") or b"{}")
        since = datetime.fromisoformat(note["since"])
        return QuarantinedDocument(run, name, str(note["reason"]), since, note.get("tool_version"))
    except (ValueError, KeyError, TypeError):
        return QuarantinedDocument(run, name, "the note that said why is lost", None, None)


def _target(document: InboxDocument) -> str:
    return f"quarantine/{document.path}"


def _free_target(inbox: InboxFolder, document: InboxDocument) -> str:
    """The document's place in quarantine; with ``.2``, ``.3`` behind where another one of its number lies there already.

    One that lies there and is the same was moved by an ingester that was killed between copy and removal.
    """
    target = _target(document)
    number = 1
    while inbox.size(target) is not None and inbox.read(target) != inbox.read(document.path):
        number += 1
        target = f"{_target(document)}.{number}"
    return target


def _document_name(name: str) -> str:
    return name if name.endswith(".gz") else name.rpartition(".")[0]
