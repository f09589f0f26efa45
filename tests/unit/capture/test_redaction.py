"""Secrets go, the rest stays, and a long text takes no longer than it should."""

from __future__ import annotations

import time

import pytest

from spark_lineage.capture.redaction import REPLACEMENT, Redaction, with_patterns

PEM = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIEvQIBADAN+x/y=\nZZ\n-----END ENCRYPTED PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("my.db-password=hunter2 rest", f"my.db-password={REPLACEMENT} rest"),
        ("x" * 500 + "_token: abc", "x" * 500 + f"_token: {REPLACEMENT}"),
        ("OPTIONS (password 'hunter2', path '/a')", f"OPTIONS (password {REPLACEMENT}, path '/a')"),
        ('"accountKey":"abc"', f'"accountKey":{REPLACEMENT}'),
        ("https://x?a=1&sig=abc&b=2", f"https://x?a=1&sig={REPLACEMENT}&b=2"),
        ("design=abc", "design=abc"),
        (f"a {PEM}, b", f"a {REPLACEMENT}, b"),
        (f"ssl.keystore.key={PEM}\nssl.x=1", f"ssl.keystore.key={REPLACEMENT}\nssl.x=1"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and no end", REPLACEMENT),
        (
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        ),
        ("Authorization: Bearer abc.def-1", f"Authorization: {REPLACEMENT}"),
        ("curl -H 'Authorization: Basic dXNlcjpwYXNz' x", f"curl -H 'Authorization: {REPLACEMENT}' x"),
        ('{"Authorization": "Bearer abc"}', f'{{"Authorization": {REPLACEMENT}}}'),
        ("with Bearer eyJhbGciOiJIUzI1NiJ9.e30.x3", f"with {REPLACEMENT}"),
        ("the bearer certificates", "the bearer certificates"),
    ],
)
def test_secrets_in_a_text(text: str, redacted: str) -> None:
    assert Redaction().plain(text) == redacted


@pytest.mark.parametrize(
    "key",
    [
        "kafka.ssl.keystore.key",
        "ssl.keystoreKey",
        "header.Authorization",
        "bearer",
        "fs.azure.account.key.x",
        "sasl.jaas.config",
    ],
)
def test_keys_of_secrets(key: str) -> None:
    assert Redaction().value(key, "MIIEvQ") == REPLACEMENT
    assert Redaction().value("kafka.ssl.keystore.location", "/a/b") == "/a/b"


@pytest.mark.parametrize("unit", ["abc-", "a.b_", "-", "bearer ", "-----BEGIN RSA "])
def test_a_megabyte_without_a_space_is_read_in_one_go(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    before = time.process_time()
    assert Redaction().plain(text) == text
    assert time.process_time() - before < 10, "it is a fraction of a second; where it grows with the square, it is hours"


class CastException(Exception):
    """As PySpark's are: of a module of its own."""


def test_a_failure_keeps_its_class_and_condition_where_literals_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = ValueError("[NO_CONDITION] of Spark: password=hunter2 in 123-45-6789")
    assert Redaction().failure(failed, "keep") == f"ValueError: [NO_CONDITION] of Spark: password={REPLACEMENT} in 123-45-6789"
    assert Redaction().failure(failed, "drop") == "ValueError: (redacted)"
    monkeypatch.setattr(CastException, "__module__", "pyspark.errors.exceptions.captured")
    of_spark = CastException("[CAST_INVALID_INPUT.SUB_1] The value '123-45-6789' of the type")
    assert Redaction().failure(of_spark, "hash") == "CastException: [CAST_INVALID_INPUT.SUB_1] (redacted)"
    assert Redaction().failure(CastException("123-45-6789 [A_CONDITION] "), "drop") == "CastException: (redacted)"


def test_flags_at_the_start_of_a_pattern_as_spark_writes_them() -> None:
    redaction = with_patterns(["(?i)hidden|veiled", "plain"])
    assert [redaction.value(key, "x") for key in ("my.HIDDEN", "Veiled", "a.plain", "PLAIN", "other")] == [
        REPLACEMENT, REPLACEMENT, REPLACEMENT, REPLACEMENT, "x",
    ]  # fmt: skip
