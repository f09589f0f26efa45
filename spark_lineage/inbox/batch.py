"""Numbered batches of documents, each applied to the tables exactly once, whatever crashes.

A batch is one file, ``batches/00000007.json``, and goes through three stages; each step is one atomic file operation, and
after a crash the next ingester goes on from the stage it finds:

``sealed``   the documents are chosen and the number is given, once (exclusive create). Applying it means appending to each
             table under the transaction (inbox id, 7), and a table that has this transaction is skipped: so it may be done
             again from the start, as often as it takes.
``applied``  everything is in the tables, and the manifest holds the ledgers that follow. What is left, writing the ledgers
             and removing the documents, may be done again as well.
``done``     nothing is left. The manifest with the highest number always stays, so that a number is never given twice.

Only who holds the inbox's lock calls anything here. Where there is no lock but a claim (``claim.py``), a process that lost it may
still write what it was about to. So there a manifest has its holder in its name, ``00000007-<claim>.json``, and who sealed it looks
at its claim once more before it applies anything:

- a manifest that was written while the claim was good is seen by who holds the inbox next, and completed; it does not matter if both
  do that, since it says what the rows are, and the tables skip what they have;
- one that was written too late is applied by nobody: by its writer not, because its claim is lost, and by others only if they see it
  before they seal a batch themselves. After that it is void, because a later holder's manifest has its number or a higher one.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .. import faults
from ..errors import InboxError
from . import ledger as ledgers
from .folder import InboxDocument, InboxFolder
from .ledger import Ledger

FORMAT = 1
DOCUMENTS_MAX = 500
BYTES_MAX = 8 << 20
"""Bounds of a batch; bytes compressed. One document that is larger makes a batch of its own."""
DEATHS_MAX = 5
"""An ingester can be killed at any time; one that dies over the same document so often is killed by it."""

_READING = "batches/reading.txt"
_MANIFEST = re.compile(r"\d+(-[0-9a-f-]+)?\.json")

Stage = Literal["sealed", "applied", "done"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A numbered batch: the documents to apply, and the findings that are applied with them.

    Everything that the outcome depends on is fixed here when the batch is sealed, so that applying it again gives the
    same rows: what exit.json said (`exits`, by run) and which runs were found lost, as of `sealed_ms`.
    """

    inbox_id: str
    number: int
    stage: Stage
    sealed_ms: int
    store: str
    holder: str = ""
    """Whose claim it was sealed under; empty in an inbox with a lock."""
    documents: tuple[InboxDocument, ...] = ()
    exits: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    lost: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    """Runs that the tables knew when the batch was sealed and that had no ledger: nothing can be said of their gaps."""
    attempts: int = 0
    """How often an ingester began to apply it and did not come to the end."""
    deaths: dict[str, int] = dataclasses.field(default_factory=dict)
    """By document, how many of the attempts ended while it was being read."""
    ledgers: tuple[Ledger, ...] = ()
    """From stage applied on: the ledgers that follow from this batch."""

    @property
    def deadly(self) -> frozenset[str]:
        """Paths of the documents that are not read again: `DEATHS_MAX` attempts ended over them."""
        return frozenset(path for path, count in self.deaths.items() if count >= DEATHS_MAX)

    @property
    def runs(self) -> tuple[str, ...]:
        """The application runs that the batch has something of."""
        return tuple(dict.fromkeys([*(document.run for document in self.documents), *self.exits, *self.lost]))


def choose(
    inbox: InboxFolder,
    warn: Callable[[str], None] = lambda message: None,
) -> tuple[InboxDocument, ...]:
    """The complete documents that the next batch takes: of each run in order, and of each run some, so that none starves.

    A folder that cannot be used (another user's, say) is left out with a warning: it must not hold up the others.
    """
    queues = []
    for run in inbox.runs():
        try:
            inbox.check(run)
            queues.append(inbox.documents(run, DOCUMENTS_MAX))
        except InboxError as error:
            warn(str(error))
    queues = [queue for queue in queues if queue]
    share = max(1, DOCUMENTS_MAX // max(1, len(queues)))
    takes = [queue[:share] for queue in queues]
    spare = DOCUMENTS_MAX - sum(len(take) for take in takes)
    for queue, take in zip(queues, takes, strict=True):
        more = queue[len(take) : len(take) + max(0, spare)]
        take.extend(more)
        spare -= len(more)
    return _within_bounds(document for take in takes for document in take)


def _within_bounds(documents: Iterable[InboxDocument]) -> tuple[InboxDocument, ...]:
    """The first of `documents`, as many as the bounds allow, at least one."""
    chosen: list[InboxDocument] = []
    size = 0
    for document in documents:
        size += document.size
        if chosen and (len(chosen) >= DOCUMENTS_MAX or size > BYTES_MAX):
            break
        chosen.append(document)
    return tuple(chosen)


def is_full(documents: Sequence[InboxDocument]) -> bool:
    """Whether about as many were taken as a batch may have."""
    return len(documents) >= DOCUMENTS_MAX or 2 * sum(document.size for document in documents) >= BYTES_MAX


def seal(inbox: InboxFolder, batch: Batch) -> Batch:
    """Gives the batch a number that was never given before (above `batch.number`) and writes its manifest."""
    number = max(batch.number, _highest(inbox)) + 1
    while True:
        sealed = dataclasses.replace(batch, number=number, stage="sealed", holder=inbox.holder)
        faults.point("batch.seal")
        if inbox.create(_path(sealed), _to_bytes(sealed)):
            inbox.confirm()
            faults.point("batch.sealed")
            return sealed
        number += 1


def unfinished(inbox: InboxFolder) -> list[Batch]:
    """The batches that a crash or an error left sealed or applied, in order.

    Raises `InboxError` for a manifest that cannot be understood: nothing can be told of what it had done.
    """
    found = []
    manifests = _manifests(inbox)
    for name in manifests:
        if _is_void(name, manifests):
            inbox.remove(f"batches/{name}")
            continue
        batch = _read(inbox, name)
        if batch is not None and batch.stage != "done":
            found.append(batch)
    return found


def _is_void(name: str, manifests: Iterable[str]) -> bool:
    """Whether who came after its holder has sealed a batch of this number or a higher one: so had not seen it, or had finished it."""
    return any(_holder(other) > _holder(name) and _number(other) >= _number(name) for other in manifests)


def begin_again(inbox: InboxFolder, batch: Batch) -> Batch:
    """Counts one more attempt at a sealed batch, before it is made, and which document the last one died over, if any."""
    reading = (inbox.read(_READING) or b"").decode()
    deaths = dict(batch.deaths)
    if reading:
        deaths[reading] = deaths.get(reading, 0) + 1
    batch = dataclasses.replace(batch, attempts=batch.attempts + 1, deaths=deaths)
    inbox.replace(_path(batch), _to_bytes(batch))
    mark_reading(inbox, None)
    return batch


def mark_reading(inbox: InboxFolder, document: InboxDocument | None) -> None:
    """Writes down that `document` is being read now; None: no document is."""
    if document is None:
        inbox.remove(_READING)
    else:
        inbox.replace(_READING, document.path.encode(), durable=False)


def mark_applied(inbox: InboxFolder, batch: Batch, followers: Sequence[Ledger]) -> Batch:
    """All rows of the batch are in the tables; `followers` are the ledgers that come of it."""
    batch = dataclasses.replace(batch, stage="applied", ledgers=tuple(followers))
    faults.point("batch.mark")
    inbox.replace(_path(batch), _to_bytes(batch))
    faults.point("batch.marked")
    return batch


def finish(inbox: InboxFolder, batch: Batch) -> None:
    """Writes the ledgers of an applied batch, removes its documents and folders that are over, and closes it."""
    for ledger in batch.ledgers:
        known = ledgers.read_ledger(inbox, ledger.run)
        if known is None or known.batch <= ledger.batch:
            ledgers.write_ledger(inbox, ledger)
        faults.point("ledger.written")
    inbox.remove_all(document.path for document in batch.documents)
    for run in batch.exits:
        inbox.remove(f"{run}/exit.json")
    for ledger in batch.ledgers:
        if ledger.ended:
            inbox.remove_folder(ledger.run, closed=not ledger.awaited)
    faults.point("batch.swept")
    closed = dataclasses.replace(batch, stage="done", documents=(), exits={}, lost=(), resumed=(), deaths={}, ledgers=())
    inbox.replace(_path(batch), _to_bytes(closed), durable=False)
    faults.point("batch.done")
    _remove_older(inbox, batch.number)


def _remove_older(inbox: InboxFolder, number: int) -> None:
    """Removes closed manifests below `number`; the highest one stays, because it holds the number."""
    for name in _manifests(inbox):
        if _number(name) < number:
            inbox.remove(f"batches/{name}")


def _highest(inbox: InboxFolder) -> int:
    return max((_number(name) for name in _manifests(inbox)), default=0)


def _manifests(inbox: InboxFolder) -> list[str]:
    names = [name for name in inbox.names("batches") if _MANIFEST.fullmatch(name)]
    return sorted(names, key=lambda name: (_number(name), _holder(name)))


def _number(name: str) -> int:
    return int(name.removesuffix(".json").partition("-")[0])


def _holder(name: str) -> str:
    return name.removesuffix(".json").partition("-")[2]


def _path(batch: Batch) -> str:
    return f"batches/{batch.number:08d}{'-' + batch.holder if batch.holder else ''}.json"


def _read(inbox: InboxFolder, name: str) -> Batch | None:
    data = inbox.read(f"batches/{name}")
    if not data:  # gone, or a number that was taken and not used, which a file system without hard links can leave
        return None
    try:
        return _from_json(json.loads(data))
    except (ValueError, KeyError, TypeError) as error:
        raise InboxError(
            f"the batch {inbox.location}/batches/{name} cannot be understood ({error}); if a newer spark-lineage wrote it, "
            f"use that; if it is damaged, its documents are still in their folders: move the file elsewhere and compare the "
            f"tables after the next ingestion, rows of that batch may be doubled"
        ) from error


def _to_bytes(batch: Batch) -> bytes:
    values = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    values["format"] = FORMAT
    values["documents"] = [[document.run, document.name, document.size] for document in batch.documents]
    values["ledgers"] = [ledgers.to_json(ledger) for ledger in batch.ledgers]
    return json.dumps(values).encode()


def _from_json(values: dict[str, Any]) -> Batch:
    if values["format"] > FORMAT:
        raise ValueError(f"format {values['format']}, and this release knows {FORMAT}")
    known = {f.name for f in dataclasses.fields(Batch)}
    kept = {name: value for name, value in values.items() if name in known}
    kept["documents"] = tuple(InboxDocument(*document) for document in values["documents"])
    kept["lost"] = tuple(values["lost"])
    kept["resumed"] = tuple(values["resumed"])
    kept["ledgers"] = tuple(ledgers.from_json(ledger) for ledger in values["ledgers"])
    return Batch(**kept)
