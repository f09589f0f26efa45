"""docs/checksum.md row by row, in plain Python over plain values: slow, and nothing of it is the code that it checks."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import struct
from decimal import Decimal
from typing import Any

import xxhash

LANES = (0x243F6A8885A308D3, 0x13198A2E03707344)
CLASSES = {
    "byte": "integer", "short": "integer", "integer": "integer", "long": "integer", "float": "floating", "double": "floating",
    "interval year to month": "interval months", "interval day to second": "interval microseconds",
}  # fmt: skip
EPOCH = dt.datetime(1970, 1, 1)


def checksum(schema: dict[str, Any], rows: list[tuple[Any, ...]]) -> tuple[int, str]:
    """(rows, 32 hexadecimal digits) of rows in the order of the schema's columns."""
    sums = [sum(row_hash(schema, row, lane) for row in rows) % 2**64 for lane in (0, 1)]
    return len(rows), f"{sums[0]:016x}{sums[1]:016x}"


def row_hash(schema: dict[str, Any], row: Any, lane: int) -> int:
    values = [row[field["name"]] for field in schema["fields"]] if isinstance(row, dict) else row
    named = sorted(zip(schema["fields"], values, strict=True), key=lambda pair: pair[0]["name"].encode())
    present = [(field, value) for field, value in named if value is not None and field["type"] != "void"]
    mask = LANES[lane]
    for field, _ in present:
        mask ^= key(f"{class_of(field['type'])} {field['name']}", lane)
    state = longs(mask, 42)
    for field, value in present:
        state = added(field["type"], value, state, lane)
    return state


def class_of(kind: Any) -> str:
    if isinstance(kind, str):
        if kind.startswith("decimal"):
            precision, scale = kind[8:-1].split(",")
            return f"decimal({18 if int(precision) <= 18 else 38},{scale.strip()})"
        return CLASSES.get(kind, "string" if kind.startswith(("char", "varchar", "string")) else kind)
    if kind["type"] == "array":
        return f"array<{class_of(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{class_of(kind['keyType'])},{class_of(kind['valueType'])}>"
    return "struct"


def added(kind: Any, value: Any, state: int, lane: int) -> int:
    name = class_of(kind)
    if name == "struct":
        return longs(row_hash(kind, value, lane), state)
    if name.startswith("array"):
        hashes = [alone(kind["elementType"], element, lane) for element in value]
    elif name.startswith("map"):
        pairs = value.items() if isinstance(value, dict) else value
        entries = [
            longs(alone(kind["valueType"], item, lane), longs(alone(kind["keyType"], key_, lane), longs(LANES[lane], 42)))
            for key_, item in pairs
        ]
        hashes = sorted(entries, key=lambda one: one - 2**64 if one >= 2**63 else one)
    else:
        return xxhash.xxh64_intdigest(bytes_of(name, value), state)
    state = longs(len(hashes), state)
    for one in hashes:
        state = longs(one, state)
    return state


def alone(kind: Any, value: Any, lane: int) -> int:
    if value is None or kind == "void":
        return key("null", lane)
    return added(kind, value, longs(LANES[lane], 42), lane)


def bytes_of(name: str, value: Any) -> bytes:
    match name:
        case "integer":
            return struct.pack("<q", value)
        case "floating":
            return struct.pack("<d", 0.0 if value == 0 else value) if not math.isnan(value) else struct.pack("<Q", 0x7FF8 << 48)
        case "boolean":
            return struct.pack("<i", value)
        case "string":
            return value.encode()
        case "binary":
            return bytes(value)
        case "date":
            return struct.pack("<i", (value - EPOCH.date()).days)
        case "timestamp":
            return struct.pack("<q", micros(value.astimezone(dt.UTC).replace(tzinfo=None) - EPOCH))
        case "timestamp_ntz":
            return struct.pack("<q", micros(value - EPOCH))
        case "interval microseconds":
            return struct.pack("<q", micros(value))
    assert name.startswith("decimal"), name
    storage, scale = name[8:-1].split(",")
    sign, digits, exponent = Decimal(value).as_tuple()
    number = int("".join(map(str, digits))) * 10 ** (int(exponent) + int(scale)) * (-1 if sign else 1)
    if storage == "18":
        return struct.pack("<q", number)
    length = 1
    while not -(1 << (8 * length - 1)) <= number < 1 << (8 * length - 1):
        length += 1
    return number.to_bytes(length, "big", signed=True)


def micros(delta: dt.timedelta) -> int:
    return delta // dt.timedelta(microseconds=1)


def longs(number: int, seed: int) -> int:
    return xxhash.xxh64_intdigest((number % 2**64).to_bytes(8, "little"), seed)


def key(text: str, lane: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[8 * lane : 8 * lane + 8], "little")


def schema_hash(schema: dict[str, Any]) -> str:
    return hashlib.sha256("\n".join(lines(schema, "")).encode()).hexdigest()[:32]


def lines(kind: Any, before: str) -> list[str]:
    found = []
    for name, inner in parts(kind):
        path = f"{before}{json.dumps(name)}"
        found.append(f"{path} {inner if isinstance(inner, str) else inner['type']}")
        found.extend(lines(inner, f"{path}."))
    return found


def parts(kind: Any) -> list[tuple[str, Any]]:
    if isinstance(kind, str):
        return []
    if kind["type"] == "struct":
        return sorted(((field["name"], field["type"]) for field in kind["fields"]), key=lambda pair: pair[0].encode())
    if kind["type"] == "array":
        return [("element", kind["elementType"])]
    return [("key", kind["keyType"]), ("value", kind["valueType"])]


def keyed_checksum(key: bytes, schema: dict[str, Any], rows: list[tuple[Any, ...]], nonce: bytes, bound: str) -> str:
    """96 hexadecimal digits, of the algorithm with a key."""
    hashes = [hashlib.blake2b(encoded_struct(schema, row), key=key, digest_size=32).digest() for row in rows]
    hashes.append(hashlib.blake2b(nonce + bound.encode(), key=key, digest_size=32, person=b"mask").digest())
    return nonce.hex() + f"{sum(int.from_bytes(one, 'little') for one in hashes) % 2**256:064x}"


def encoded_struct(schema: dict[str, Any], row: Any) -> bytes:
    values = [row[field["name"]] for field in schema["fields"]] if isinstance(row, dict) else row
    named = sorted(zip(schema["fields"], values, strict=True), key=lambda pair: pair[0]["name"].encode())
    present = [(field, value) for field, value in named if value is not None and field["type"] != "void"]
    parts = (
        sized(f"{class_of(field['type'])} {field['name']}".encode()) + encoded(field["type"], value) for field, value in present
    )
    return struct.pack("<q", len(present)) + b"".join(parts)


def encoded(kind: Any, value: Any) -> bytes:
    name = class_of(kind)
    if name == "struct":
        return encoded_struct(kind, value)
    if name.startswith("array"):
        return struct.pack("<q", len(value)) + b"".join(encoded_element(kind["elementType"], one) for one in value)
    if name.startswith("map"):
        pairs = value.items() if isinstance(value, dict) else value
        entries = (encoded_element(kind["keyType"], one) + encoded_element(kind["valueType"], other) for one, other in pairs)
        return struct.pack("<q", len(pairs)) + b"".join(sorted(entries))
    body = bytes_of(name, value)
    return body if name not in ("string", "binary") and not name.startswith("decimal(38") else sized(body)


def encoded_element(kind: Any, value: Any) -> bytes:
    return b"\0" if value is None or kind == "void" else b"\1" + encoded(kind, value)


def sized(value: bytes) -> bytes:
    return struct.pack("<q", len(value)) + value
