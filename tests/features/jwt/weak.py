"""RSA keys that nobody may trust, made as real ones were."""

import math
import random
from functools import cache
from typing import Any

from tests.features.jwt.provider import number

SMALL = math.prod(range(3, 2000, 2))
SEED = random.Random(20260203)


def is_prime(candidate: int) -> bool:
    """Miller and Rabin's test, 16 rounds, after small factors."""
    if math.gcd(candidate, SMALL) != 1:
        return False
    odd, twos = candidate - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(16):
        power = pow(SEED.randrange(2, candidate - 1), odd, candidate)
        if power in (1, candidate - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % candidate
            if power == candidate - 1:
                break
        else:
            return False
    return True


def roca_prime(bits: int) -> int:
    """A prime as Infineon's library made them: k * M + (65537 ^ a mod M), M the product of the first 126 primes."""
    odd = (p for p in range(3, 702, 2) if all(p % d for d in range(3, math.isqrt(p) + 1, 2)))
    product = math.prod([2, *odd])
    while True:
        base = pow(65537, SEED.randrange(1 << 60), product)
        candidate = SEED.randrange((3 << bits - 2) // product, (1 << bits) // product) * product + base
        if candidate % 65537 != 1 and is_prime(candidate):
            return candidate


@cache
def roca_modulus() -> int:
    return roca_prime(1024) * roca_prime(1024)


def rsa_jwk(modulus: int, exponent: int = 65537) -> dict[str, Any]:
    return {"kty": "RSA", "kid": "r", "n": number(modulus), "e": number(exponent)}
