"""Which classes are in jars and what they extend, read from the class files themselves: no JVM is started.

A class file begins with its constants; behind them stand its flags, its own name, its superclass and its interfaces (The Java
Virtual Machine Specification, chapter 4). Nothing after that is read.

    python scripts/class_files.py LogicalPlan|Expression JAR...        prints the concrete subclasses, one a line
"""

from __future__ import annotations

import struct
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOGICAL_PLAN: Final = "org.apache.spark.sql.catalyst.plans.logical.LogicalPlan"
EXPRESSION: Final = "org.apache.spark.sql.catalyst.expressions.Expression"

_MAGIC: Final = 0xCAFEBABE
_INTERFACE, _ABSTRACT = 0x0200, 0x0400
_UTF8, _CLASS = 1, 7
_SIZES: Final = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes after the tag of each kind of constant but text, which tells its own length."""
_WIDE: Final = frozenset({5, 6})
"""Kinds (long, double) that take two numbers in the pool."""


@dataclass(frozen=True, slots=True)
class ClassFile:
    """A class as its file declares it; names with dots, nested ones with the `$` that the JVM has."""

    name: str
    parents: tuple[str, ...]
    """The superclass and the interfaces."""
    abstract: bool
    """An abstract class, or an interface: Scala's traits are interfaces."""

    @property
    def anonymous(self) -> bool:
        return "$anon$" in self.name or self.name.rpartition("$")[2].isdigit()


def read_class(data: bytes) -> ClassFile:
    """What a class file declares. Raises `ValueError` for one that is none."""
    magic, _, _, count = struct.unpack_from(">IHHH", data)
    if magic != _MAGIC:
        raise ValueError("no class file: it does not begin with CAFEBABE")
    texts: dict[int, tuple[int, int]] = {}
    classes: dict[int, int] = {}
    at, number = 10, 1
    while number < count:
        tag = data[at]
        if tag == _UTF8:
            length = data[at + 1] << 8 | data[at + 2]
            texts[number] = (at + 3, at + 3 + length)
            at += 3 + length
        else:
            if tag == _CLASS:
                classes[number] = data[at + 1] << 8 | data[at + 2]
            at += 1 + _SIZES[tag]
        number += 2 if tag in _WIDE else 1

    def name(index: int) -> str:
        start, end = texts[classes[index]]
        return data[start:end].decode("utf-8", "replace").replace("/", ".")

    flags, own, parent, interfaces = struct.unpack_from(">HHHH", data, at)
    indices = (parent, *struct.unpack_from(f">{interfaces}H", data, at + 8))
    return ClassFile(name(own), tuple(name(one) for one in indices if one), bool(flags & (_ABSTRACT | _INTERFACE)))


def classes_in(jars: Iterable[Path], below: str = "") -> Iterator[ClassFile]:
    """The classes of some jars, those of the packages that begin with `below`."""
    prefix = below.replace(".", "/")
    for jar in jars:
        with zipfile.ZipFile(jar) as opened:
            for entry in opened.namelist():
                if entry.endswith(".class") and entry.startswith(prefix):
                    yield read_class(opened.read(entry))


def subclasses(classes: Mapping[str, ClassFile], of: str) -> tuple[ClassFile, ...]:
    """Those that extend a class or a trait, by however many steps, in order of their names."""
    children: dict[str, list[ClassFile]] = {}
    for one in classes.values():
        for parent in one.parents:
            children.setdefault(parent, []).append(one)
    found: dict[str, ClassFile] = {}
    stack = [of]
    while stack:
        for child in children.get(stack.pop(), ()):
            if child.name not in found:
                found[child.name] = child
                stack.append(child.name)
    return tuple(found[name] for name in sorted(found))


def concrete(classes: Mapping[str, ClassFile], of: str) -> tuple[str, ...]:
    """The names of those subclasses of which there can be an object with a name: no trait, nothing abstract or anonymous. The `$`
    at the end of an object's class is left out."""
    return tuple(one.name.rstrip("$") for one in subclasses(classes, of) if not one.abstract and not one.anonymous)


def main(wanted: str, jars: Iterable[str]) -> None:
    root = {"LogicalPlan": LOGICAL_PLAN, "Expression": EXPRESSION}[wanted]
    print(*concrete({one.name: one for one in classes_in(map(Path, jars))}, root), sep="\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2:])
