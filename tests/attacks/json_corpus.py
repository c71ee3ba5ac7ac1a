"""JSON that readers disagree on, made here: numbers, strings, structure, encodings at the edge of RFC 8259.

Named as JSONTestSuite names its files: y_ is valid, n_ is not, i_ is left to the reader.
"""

import itertools

_NUMBERS = {
    "y": ["0", "-0", "1", "1.5", "1e2", "1E+2", "1e-2", "123456789012345678901234567890", "0.0000001", "-1.5e-300"],
    "i": ["1e400", "-1e400", "1e-400", "9" * 400, "0." + "1" * 400, "9" * 5000, "1e" + "9" * 30],
    "n": ["01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "1_000", "NaN", "Infinity", "-Infinity", "1 2", "--1", "١"],
}
_STRINGS = {
    "y": [
        '""',
        '"a"',
        r'"\u0000"',
        r'"\ud83d\ude00"',
        r'"\"\\\/\b\f\n\r\t"',
        '"é"',
        '"\u2028\u2029"',
        '"' + "a" * 9999 + '"',
    ],
    "i": [r'"\ud800"', r'"\udc00"', r'"\ud800\u0041"', r'"\udfff\ud800"', '"\ufeff"', '"\U0010ffff"', '"\x7f"'],
    "n": [
        '"',
        '"\\"',
        r'"\x41"',
        r'"\u12"',
        r'"\uZZZZ"',
        "'a'",
        '"\n"',
        '"\t"',
        '"\x00"',
        r'"\a"',
        '"a" "b"',
        "a",
        "\\n",
    ],
}
_STRUCTURES = {
    "y": [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        " [ ] ",
        "\r\n\t{}\n",
        "[[],{}]",
        '{"a":{"b":[1]}}',
        '{"":0}',
        '{"a":1,"b":1}',
    ],
    "i": ['{"a":1,"a":2}', r'{"a":1,"\u0061":2}', '{"__proto__":1}', "[" * 127 + "]" * 127, "[" * 129 + "]" * 129],
    "n": [
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "[1,]",
        "{,}",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "{1:1}",
        "nul",
        "True",
        "undefined",
        "/**/{}",
        "{}//",
        "{}x",
        "[]]",
        "[" * 50_000,
        '{"a":' * 50_000,
        "\x0c{}",
        "\u00a0{}",
    ],
}
_BYTES = {
    "i_bom": b"\xef\xbb\xbf{}",
    "i_utf16": '{"a":1}'.encode("utf-16"),
    "i_utf32": '{"a":1}'.encode("utf-32"),
    "n_lone_continuation": b'"\x80"',
    "n_overlong_slash": b'"\xc0\xaf"',
    "n_overlong_nul": b'"\xc0\x80"',
    "n_surrogate": b'"\xed\xa0\x80"',
    "n_beyond_unicode": b'"\xf4\xbf\xbf\xbf"',
    "n_cut_sequence": b'"\xe2\x82',
    "n_latin1": b'"\xe9"',
    "n_nul_after": b"{}\x00",
    "n_only_ff": b"\xff" * 100,
}


def _texts() -> dict[str, bytes]:
    groups = (("number", _NUMBERS), ("string", _STRINGS), ("structure", _STRUCTURES))
    found: dict[str, bytes] = {}
    for (kind, group), verdict in itertools.product(groups, "yin"):
        for index, text in enumerate(group[verdict]):
            found[f"{verdict}_{kind}_{index}"] = text.encode("utf-8", "surrogatepass")
    return found


CORPUS: dict[str, bytes] = {**_texts(), **_BYTES}
"""Name → bytes."""
