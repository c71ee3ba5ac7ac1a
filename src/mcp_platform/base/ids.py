"""Identifiers: random, unguessable where it matters, safe in URLs, logs and file names."""

import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_text(length: int) -> str:
    """`length` characters of base 62 from the system's generator: 5.95 bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_id(prefix: str) -> str:
    """`prefix_` and 16 random base-62 characters (95 bits): unique without asking anybody."""
    return f"{prefix}_{random_text(16)}"
