"""Which datasets are recorded: the allow and deny patterns of the options."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .datasets import DatasetRef


@dataclass(frozen=True, slots=True)
class Limits:
    """Globs over a dataset's name, its aliases and its location. Denied is denied; where there is an allow list, the rest is too."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def admits(self, dataset: DatasetRef) -> bool:
        """Whether a dataset may be recorded."""
        namespace, name = dataset.key
        return self.admits_place(name, f"{namespace}/{name}", *dataset.aliases, dataset.alias, dataset.location)

    def admits_place(self, *spellings: str | None) -> bool:
        """Whether what is spelt so may be recorded; what has no name at all may."""
        texts = tuple(filter(None, spellings))
        if not texts or (not self.allow and not self.deny):
            return True
        if _any_fits(self.deny, texts):
            return False
        return not self.allow or _any_fits(self.allow, texts)


def _any_fits(patterns: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns for text in texts)
