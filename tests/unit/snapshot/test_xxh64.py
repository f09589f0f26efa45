"""The array code of XXH64 against the C library."""

from __future__ import annotations

import numpy as np
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.snapshot.xxh64 import chained_longs, hash_bytes, hash_int, hash_long

U64 = st.integers(0, 2**64 - 1)


@given(
    st.lists(
        st.tuples(st.one_of(st.binary(max_size=100), st.binary(min_size=1_020, max_size=1_030)), U64, U64),
        min_size=1,
        max_size=20,
    )
)
def test_bytes_of_any_length(rows: list[tuple[bytes, int, int]]) -> None:
    data = np.frombuffer(b"".join(value for value, _, _ in rows), np.uint8)
    lengths = np.array([len(value) for value, _, _ in rows], np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)[:-1]))
    seeds = np.array([[first for _, first, _ in rows], [second for _, _, second in rows]], np.uint64)

    hashes = hash_bytes(data, starts, lengths, seeds)

    for at, (value, *pair) in enumerate(rows):
        assert [int(hashes[lane, at]) for lane in (0, 1)] == [xxhash.xxh64_intdigest(value, seed) for seed in pair]


@given(st.lists(st.tuples(U64, U64), min_size=1, max_size=20))
def test_longs_and_ints(rows: list[tuple[int, int]]) -> None:
    values, seeds = np.array([value for value, _ in rows], np.uint64), np.array([[seed for _, seed in rows]], np.uint64)

    longs, ints = hash_long(values, seeds), hash_int(values.astype(np.uint32), seeds)

    for at, (value, seed) in enumerate(rows):
        assert int(longs[0, at]) == xxhash.xxh64_intdigest(value.to_bytes(8, "little"), seed)
        assert int(ints[0, at]) == xxhash.xxh64_intdigest((value & 0xFFFFFFFF).to_bytes(4, "little"), seed)


@given(st.lists(U64, max_size=5), U64)
def test_a_chain_of_longs(values: list[int], seed: int) -> None:
    state = np.array([[seed]], np.uint64)
    for value in values:
        state = hash_long(np.array([value], np.uint64), state)
    assert chained_longs(values, seed) == int(state[0, 0])
