"""JSON text of any depth.

The standard decoder recurses, and gives up at about a thousand levels. A chain of five thousand `OR`s in a captured plan
nests deeper than that, so what the fast decoder refuses for depth is read once more here, with a stack of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_TOKEN: Final = re.compile(r"[ \t\n\r]*(?:([{}\[\],:])|(\")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)|(true|false|null))")
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def loads(text: str) -> Any:
    """The value that `text` holds. Raises `ValueError` where it is no JSON, whatever its depth."""
    try:
        return json.loads(text)
    except RecursionError:
        return _loads_deep(text)


def _loads_deep(text: str) -> Any:
    tokens = _Tokens(text)
    root: list[Any] = []
    stack: list[Any] = [root]
    key: list[str | None] = [None]
    expected = "value"
    while expected != "end":
        mark, value = tokens.next()
        if mark in ("{", "[") and expected in ("value", "value or ]"):
            container: Any = {} if mark == "{" else []
            _put(stack[-1], key[-1], container)
            stack.append(container)
            key.append(None)
            expected = "key or }" if mark == "{" else "value or ]"
        elif mark in ("}", "]") and expected in (f"key or {mark}", f"value or {mark}", f", or {mark}"):
            stack.pop()
            key.pop()
            expected = _after(stack)
        elif mark == "," and expected.startswith(", or "):
            expected = "key" if expected == ", or }" else "value"
        elif mark == "value" and expected in ("value", "value or ]"):
            _put(stack[-1], key[-1], value)
            expected = _after(stack)
        elif mark == "value" and isinstance(value, str) and expected in ("key", "key or }"):
            key[-1] = value
            tokens.colon()
            expected = "value"
        else:
            raise ValueError(f"character {tokens.position}: {expected} expected, {mark} found")
    tokens.end()
    return root[0]


def _put(container: Any, key: str | None, value: Any) -> None:
    if isinstance(container, list):
        container.append(value)
    else:
        container[key] = value


def _after(stack: list[Any]) -> str:
    """What may come after a value that is complete."""
    if len(stack) == 1:
        return "end"
    return ", or ]" if isinstance(stack[-1], list) else ", or }"


class _Tokens:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def next(self) -> tuple[str, Any]:
        """A punctuation mark and None, or ``value`` and the text, number or word that it is."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise ValueError(f"character {self.position}: no JSON")
        self.position = match.end()
        mark, quote, number, word = match.groups()
        if mark:
            return mark, None
        if quote:
            string, self.position = json.decoder.scanstring(self.text, self.position, True)  # type: ignore[attr-defined]
            return "value", string
        if number:
            return "value", float(number) if any(c in number for c in ".eE") else int(number)
        return "value", _WORDS[word]

    def colon(self) -> None:
        mark, _ = self.next()
        if mark != ":":
            raise ValueError(f"character {self.position}: a colon expected, {mark} found")

    def end(self) -> None:
        match = _SPACE.match(self.text, self.position)
        if match is None or match.end() != len(self.text):
            raise ValueError(f"character {self.position}: more text after the value")
