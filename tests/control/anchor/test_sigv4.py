"""Signatures of version 4, against the examples that AWS publishes with their results."""

import hashlib

import pytest

from mcp_platform.control.anchor.sigv4 import Signer, encoded_path

S3 = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
SUITE = Signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
"""AWS's Signature Version 4 test suite."""
EMPTY = hashlib.sha256(b"").hexdigest()
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
DAY = "20130524T000000Z"
SUITE_DAY = "20150830T123600Z"
BUCKET = "examplebucket.s3.amazonaws.com"

S3_EXAMPLES = {
    "get object": (
        "GET",
        "/test.txt",
        "",
        {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
        EMPTY,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": (
        "PUT",
        "/test$file.text",
        "",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-content-sha256": WELCOME,
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        WELCOME,
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get bucket lifecycle": (
        "GET",
        "/",
        "lifecycle",
        {"x-amz-content-sha256": EMPTY},
        EMPTY,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": (
        "GET",
        "/",
        "max-keys=2&prefix=J",
        {"x-amz-content-sha256": EMPTY},
        EMPTY,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("example", S3_EXAMPLES)
def test_it_signs_what_s3s_documentation_signs(example: str) -> None:
    method, path, query, headers, body_hash, signature = S3_EXAMPLES[example]
    signed = {**headers, "host": BUCKET, "x-amz-date": DAY}
    assert S3.authorization(method, path, query, signed, body_hash, DAY).endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),  # get-vanilla
        # get-vanilla-query-order-key-case
        ("Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
)
def test_it_signs_what_the_test_suite_signs(query: str, signature: str) -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": SUITE_DAY}
    assert SUITE.authorization("GET", "/", query, headers, EMPTY, SUITE_DAY).endswith(f"Signature={signature}")


def test_a_path_is_encoded_once_and_its_slashes_stay() -> None:
    assert encoded_path("/a b/ü$/~x") == "/a%20b/%C3%BC%24/~x"


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(S3)
