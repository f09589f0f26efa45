"""Secrets are taken out before anything is written. The same patterns are given to the bridge, which redacts plans.

Java and Python both read these expressions; in both, group 1 of a match in a text is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

REPLACEMENT = "*********(redacted)"

_KEY_WORDS = (
    r"secret|passw(?:or)?d|passwd|pwd|passphrase|token|credential|private.?key|access.?key|api.?key|account.?key"
    r"|encryption.?key|keystore.?key|sas(?:\.|_|-|$)|signature|jaas|authorization|bearer"
)
KEYS = rf"(?i)(?:{_KEY_WORDS})"
# It begins with the word itself: what may stand before it in a name is kept anyway, and to look for it from each place
# where a name may begin takes hours in a megabyte of `a-b-c-...`.
_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
TEXT = (
    r"(?i)((?:secret|passw(?:or)?d|passwd|pwd|passphrase|token|credential|private[_.\-]?key|access[_.\-]?key"
    r"|api[_.\-]?key|account[_.\-]?key|keystore[_.\-]?key|authorization|signature|\bsig)[\w.\-]*[\"'`]?(?:\s*[=:]\s*|\s+(?=['\"])))"
    rf"(?:{_PRIVATE_KEY}|'[^']*'|\"[^\"]*\"|(?:(?:bearer|basic)\s+)?[^\s,;&'\")]+)"
    rf"|{_PRIVATE_KEY}|\bbearer\s+(?=[\w.~+/=\-]*\d)[\w.~+/=\-]{{8,}}"
)
URLS = r"(://[^/\s:@?#'\"]*:)[^/\s@'\"]+(?=@)"
_LEADING_FLAGS = re.compile(r"^\(\?([a-zA-Z]+)\)(.*)$", re.DOTALL)
"""As in Spark's own default, `(?i)secret|password`: in the middle of an expression Python takes flags for a group only."""

_CONDITION = re.compile(r"\[[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*\](?= )")


@dataclass(frozen=True)
class Redaction:
    """`keys`: which keys hold secrets; `text`: secrets inside a text; `urls`: passwords in a URL's user part."""

    keys: str = KEYS
    text: str = TEXT
    urls: str = URLS

    def value(self, key: str, value: str) -> str:
        """The value, or the replacement if its key says that it is secret, or secrets inside it replaced."""
        return REPLACEMENT if re.search(self.keys, key) else self.plain(value)

    def plain(self, text: str) -> str:
        """The text with the secrets in it replaced."""
        return self.address(re.sub(self.text, rf"\g<1>{REPLACEMENT}", text))

    def address(self, location: str) -> str:
        """A path or URI without the password that it may have; the rest names a dataset, and stays as it is."""
        return re.sub(self.urls, rf"\g<1>{REPLACEMENT}", location)

    def failure(self, error: BaseException, literals: str) -> str:
        """What is written of an uncaught exception. Its message may hold any value of the data: where `literals`, the policy
        for them, is not ``keep``, what stays is its class, and the condition that Spark names."""
        kind = type(error)
        if literals == "keep":
            return self.plain(f"{kind.__name__}: {error}")[:2000]
        condition = _CONDITION.match(str(error)) if kind.__module__.startswith("pyspark.") else None
        return f"{kind.__name__}: {condition[0] + ' ' if condition else ''}(redacted)"

    def mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        return {key: self.value(key, value) for key, value in values.items()}

    def arguments(self, arguments: Iterable[str]) -> list[str]:
        """Command line arguments: ``--password x``, ``--password=x`` and ``password=x`` are all taken out."""
        result: list[str] = []
        secret_next = False
        for argument in arguments:
            if secret_next and not argument.startswith("--"):
                result.append(REPLACEMENT)
            else:
                result.append(self.plain(argument))
            secret_next = argument.startswith("-") and "=" not in argument and re.search(self.keys, argument) is not None
        return result


def with_patterns(extra: Iterable[str]) -> Redaction:
    """The built-in patterns and these besides, each a regular expression of keys. Raises `re.error` for a bad one."""
    patterns = [_LEADING_FLAGS.sub(r"(?\1:\2)", pattern) for pattern in extra if pattern]
    for pattern in patterns:
        re.compile(pattern)
    return Redaction(keys="|".join([KEYS, *(f"(?:{pattern})" for pattern in patterns)]))
