"""XXH64 of many values at a time, each with a seed of its own, for both lanes at once: the functions that Spark's `xxhash64` is made of.

Seeds and results are uint64 arrays of shape (lanes, n); arithmetic wraps. Source: the XXH64 specification
(https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md); `hash_long` and `hash_int` are XXH64 of the 8 or 4 bytes, little-endian.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xxhash

Words = npt.NDArray[np.uint64]

_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(number)
    for number in (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)
)
_BY_HAND = 1_024
"""Bytes. Longer values go to the C library one by one: a step of the array code for each of their stripes would cost more."""


def hash_long(values: Words, seeds: Words) -> Words:
    """Of 64-bit values, shape (n,) or (lanes, n)."""
    state = seeds + (_P5 + np.uint64(8))
    return _avalanche(_word(state, values))


def chained_longs(values: list[int], seed: int) -> int:
    """`hash_long` of one value after the other, each with the hash before it as its seed."""
    for value in values:
        seed = xxhash.xxh64_intdigest(value.to_bytes(8, "little"), seed)
    return seed


def hash_int(values: npt.NDArray[np.uint32], seeds: Words) -> Words:
    """Of 32-bit values, shape (n,)."""
    state = seeds + (_P5 + np.uint64(4))
    return _avalanche(_half(state, values.astype(np.uint64)))


def hash_bytes(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], seeds: Words
) -> Words:
    """Of the bytes `data[start : start + length]`, n of them."""
    result = np.empty_like(seeds)
    long = np.flatnonzero(lengths > _BY_HAND)
    for row in long:
        value = data[starts[row] : starts[row] + lengths[row]].tobytes()
        for lane in range(len(seeds)):
            result[lane, row] = xxhash.xxh64_intdigest(value, int(seeds[lane, row]))
    if len(long) < len(lengths):
        rest = slice(None) if not len(long) else np.flatnonzero(lengths <= _BY_HAND)
        result[:, rest] = _short(data, starts[rest], lengths[rest], seeds[:, rest])
    return result


def _short(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], seeds: Words) -> Words:
    padded = np.concatenate((data, np.zeros(8, np.uint8)))
    words: Words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    halves: npt.NDArray[np.uint32] = np.ndarray((len(padded) - 3,), "<u4", padded, strides=(1,))
    state = seeds + _P5
    at = starts.copy()
    striped = np.flatnonzero(lengths >= 32)
    if len(striped):
        state[:, striped] = _stripes(words, at[striped], lengths[striped], seeds[:, striped])
        at[striped] += lengths[striped] & ~31
    state += lengths.astype(np.uint64)
    ends = starts + lengths
    while True:
        rows = np.flatnonzero(at + 8 <= ends)
        if not len(rows):
            break
        state[:, rows] = _word(state[:, rows], words[at[rows]])
        at[rows] += 8
    rows = np.flatnonzero(at + 4 <= ends)
    if len(rows):
        state[:, rows] = _half(state[:, rows], halves[at[rows]].astype(np.uint64))
        at[rows] += 4
    while True:
        rows = np.flatnonzero(at < ends)
        if not len(rows):
            break
        state[:, rows] = _rotated(state[:, rows] ^ (padded[at[rows]].astype(np.uint64) * _P5), 11) * _P1
        at[rows] += 1
    return _avalanche(state)


def _stripes(words: Words, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], seeds: Words) -> Words:
    lanes = [seeds + _P1 + _P2, seeds + _P2, seeds.copy(), seeds - _P1]
    stripes = lengths // 32
    for stripe in range(int(stripes.max())):
        rows = np.flatnonzero(stripes > stripe)
        for number, lane in enumerate(lanes):
            lane[:, rows] = _round(lane[:, rows], words[starts[rows] + (32 * stripe + 8 * number)])
    one, two, three, four = lanes
    state = _rotated(one, 1) + _rotated(two, 7) + _rotated(three, 12) + _rotated(four, 18)
    for lane in lanes:
        state = (state ^ _round(np.zeros_like(lane), lane)) * _P1 + _P4
    return state


def _word(state: Words, values: Words) -> Words:
    return _rotated(state ^ _round(np.zeros_like(values), values), 27) * _P1 + _P4


def _half(state: Words, values: Words) -> Words:
    return _rotated(state ^ (values * _P1), 23) * _P2 + _P3


def _round(lane: Words, values: Words) -> Words:
    return _rotated(lane + values * _P2, 31) * _P1


def _rotated(values: Words, bits: int) -> Words:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


def _avalanche(state: Words) -> Words:
    state = (state ^ (state >> np.uint64(33))) * _P2
    state = (state ^ (state >> np.uint64(29))) * _P3
    return state ^ (state >> np.uint64(32))
