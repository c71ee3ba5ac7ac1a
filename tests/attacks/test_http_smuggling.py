"""Shapes of requests on which two readers could disagree, each with the one answer it gets, however it arrives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net.http_request import RequestReader
from tests.net.http_peer import ALWAYS, EchoApp, ask, connected, serving

LIMITS = Http(max_request_line_bytes=200, max_header_bytes=600, max_headers=12, max_body_bytes=1000)
HOST = b"Host: a.example\r\n"
POST = b"POST /mcp HTTP/1.1\r\n" + HOST
GET = b"GET /mcp HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def line(start: bytes) -> bytes:
    return start + b"\r\n" + HOST + b"\r\n"


REFUSED: dict[str, tuple[bytes, int, str]] = {
    # Two lengths.
    "CL.TE": (
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        400,
        "http_framing_refused",
    ),
    "TE.CL": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n",
        400,
        "http_framing_refused",
    ),
    "CL.CL equal": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "http_framing_refused"),
    "CL.CL different": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "http_framing_refused"),
    "CL list": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400, "http_framing_refused"),
    "TE.TE": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        400,
        "http_framing_refused",
    ),
    "TE twice chunked": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_framing_refused",
    ),
    # A length that is no number.
    "CL plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400, "http_framing_refused"),
    "CL minus": (POST + b"Content-Length: -3\r\n\r\nabc", 400, "http_framing_refused"),
    "CL hex": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400, "http_framing_refused"),
    "CL empty": (POST + b"Content-Length:\r\n\r\n", 400, "http_framing_refused"),
    "CL inner space": (POST + b"Content-Length: 3 4\r\n\r\nabc", 400, "http_framing_refused"),
    "CL underscore": (POST + b"Content-Length: 1_0\r\n\r\n0123456789", 400, "http_framing_refused"),
    "CL float": (POST + b"Content-Length: 3.0\r\n\r\nabc", 400, "http_framing_refused"),
    "CL superscript": (POST + b"Content-Length: \xb3\r\n\r\nabc", 400, "http_framing_refused"),
    "CL overflow": (POST + b"Content-Length: 18446744073709551617\r\n\r\na", 400, "http_framing_refused"),
    "CL huge": (POST + b"Content-Length: 99999999999999\r\n\r\n", 413, "http_body_too_large"),
    "CL above the ceiling": (POST + b"Content-Length: 1001\r\n\r\n", 413, "http_body_too_large"),
    # Codings that are not exactly chunked.
    "TE identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400, "http_framing_refused"),
    "TE gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "http_framing_refused"),
    "TE chunked, identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", 400, "http_framing_refused"),
    "TE xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "http_framing_refused"),
    "TE quoted": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400, "http_framing_refused"),
    "TE parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400, "http_framing_refused"),
    "TE empty": (POST + b"Transfer-Encoding:\r\n\r\n", 400, "http_framing_refused"),
    "TE vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE space before colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE tab before colon": (POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE leading space": (POST + b" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE folded": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE behind bare LF": (POST + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE behind bare CR": (POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE behind NUL": (POST + b"X: a\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http_malformed"),
    "TE in HTTP/1.0": (
        b"POST /mcp HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_framing_refused",
    ),
    # Chunks.
    "chunk extension": (CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk extension without name": (CHUNKED + b"3;\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk extension with LF": (CHUNKED + b"3;\nxx\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "last chunk extension": (CHUNKED + b"3\r\nabc\r\n0;a\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size space": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size leading space": (CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size plus": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size minus": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size empty": (CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size no hex": (CHUNKED + b"g\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size overflow": (CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size of many zeros": (CHUNKED + b"000000003\r\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk size bare LF": (CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk longer than its size": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk end bare LF": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk end other bytes": (CHUNKED + b"3\r\nabcXX0\r\n\r\n", 400, "http_chunk_invalid"),
    "trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", 400, "http_chunk_invalid"),
    "trailer with a length": (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 400, "http_chunk_invalid"),
    "chunk above the ceiling": (CHUNKED + b"3e9\r\n", 413, "http_body_too_large"),
    "chunks above the ceiling": (CHUNKED + b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\n", 413, "http_body_too_large"),
    # Lines.
    "bare LF all over": (b"GET /mcp HTTP/1.1\nHost: a\n\n", 400, "http_malformed"),
    "bare LF in a header": (GET + b"X: y\n\r\n", 400, "http_malformed"),
    "bare CR in a header": (GET + b"X: y\rz\r\n\r\n", 400, "http_malformed"),
    "CR CR LF": (GET + b"X: y\r\r\n\r\n", 400, "http_malformed"),
    "folded header": (GET + b"X: y\r\n z\r\n\r\n", 400, "http_malformed"),
    "folded header by tab": (GET + b"X: y\r\n\tz\r\n\r\n", 400, "http_malformed"),
    "space before colon": (GET + b"X : y\r\n\r\n", 400, "http_malformed"),
    "no colon": (GET + b"X\r\n\r\n", 400, "http_malformed"),
    "no name": (GET + b": y\r\n\r\n", 400, "http_malformed"),
    "NUL in a value": (GET + b"X: y\0\r\n\r\n", 400, "http_malformed"),
    "NUL in a name": (GET + b"X\0: y\r\n\r\n", 400, "http_malformed"),
    "DEL in a value": (GET + b"X: y\x7f\r\n\r\n", 400, "http_malformed"),
    "escape in a value": (GET + b"X: \x1b[31m\r\n\r\n", 400, "http_malformed"),
    "non-ASCII name": (GET + b"X\xe4: y\r\n\r\n", 400, "http_malformed"),
    "parenthesis in a name": (GET + b"X(: y\r\n\r\n", 400, "http_malformed"),
    "empty line first": (b"\r\n" + GET + b"\r\n", 400, "http_malformed"),
    "TLS to the plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "http_malformed"),
    # The request line.
    "two spaces": (line(b"GET  /mcp HTTP/1.1"), 400, "http_malformed"),
    "space at the end": (line(b"GET /mcp HTTP/1.1 "), 400, "http_malformed"),
    "space in the target": (line(b"GET /m cp HTTP/1.1"), 400, "http_malformed"),
    "tab": (line(b"GET\t/mcp HTTP/1.1"), 400, "http_malformed"),
    "no method": (line(b" /mcp HTTP/1.1"), 400, "http_malformed"),
    "method no token": (line(b"G(T /mcp HTTP/1.1"), 400, "http_malformed"),
    "HTTP/0.9": (b"GET /mcp\r\n", 400, "http_malformed"),
    "HTTP/0.9 by name": (line(b"GET /mcp HTTP/0.9"), 505, "http_version_refused"),
    "HTTP/1.2": (line(b"GET /mcp HTTP/1.2"), 505, "http_version_refused"),
    "HTTP/2.0": (line(b"GET /mcp HTTP/2.0"), 505, "http_version_refused"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version_refused"),
    "http in small letters": (line(b"GET /mcp http/1.1"), 400, "http_malformed"),
    "RTSP": (line(b"SETUP /mcp RTSP/1.0"), 400, "http_malformed"),
    "ICE": (line(b"SOURCE /mcp ICE/1.0"), 400, "http_malformed"),
    "CONNECT": (line(b"CONNECT a.example:443 HTTP/1.1"), 405, "http_method_refused"),
    "TRACE": (line(b"TRACE /mcp HTTP/1.1"), 405, "http_method_refused"),
    "unknown method": (line(b"BREW /mcp HTTP/1.1"), 405, "http_method_refused"),
    "small letters": (line(b"get /mcp HTTP/1.1"), 405, "http_method_refused"),
    "absolute form": (line(b"GET http://a.example/mcp HTTP/1.1"), 400, "http_target_invalid"),
    "authority form": (line(b"GET a.example:80 HTTP/1.1"), 400, "http_target_invalid"),
    "asterisk form": (line(b"OPTIONS * HTTP/1.1"), 400, "http_target_invalid"),
    "two slashes": (line(b"GET //b.example/mcp HTTP/1.1"), 400, "http_target_invalid"),
    "fragment": (line(b"GET /mcp#a HTTP/1.1"), 400, "http_target_invalid"),
    "dot segment": (line(b"GET /mcp/../console HTTP/1.1"), 400, "http_target_invalid"),
    "dot segment at the end": (line(b"GET /mcp/.. HTTP/1.1"), 400, "http_target_invalid"),
    "single dot segment": (line(b"GET /./mcp HTTP/1.1"), 400, "http_target_invalid"),
    "encoded dot segment": (line(b"GET /mcp/%2e%2E/x HTTP/1.1"), 400, "http_target_invalid"),
    "half encoded dot segment": (line(b"GET /mcp/.%2e HTTP/1.1"), 400, "http_target_invalid"),
    "encoded slash": (line(b"GET /mcp%2Fx HTTP/1.1"), 400, "http_target_invalid"),
    "encoded backslash": (line(b"GET /mcp%5cx HTTP/1.1"), 400, "http_target_invalid"),
    "backslash": (line(b"GET /mcp\\x HTTP/1.1"), 400, "http_target_invalid"),
    "encoded NUL": (line(b"GET /mcp%00 HTTP/1.1"), 400, "http_target_invalid"),
    "encoded CRLF": (line(b"GET /mcp%0d%0a HTTP/1.1"), 400, "http_target_invalid"),
    "encoded DEL": (line(b"GET /mcp%7F HTTP/1.1"), 400, "http_target_invalid"),
    "broken escape": (line(b"GET /mcp%2 HTTP/1.1"), 400, "http_target_invalid"),
    "broken escape in the query": (line(b"GET /mcp?a=%zz HTTP/1.1"), 400, "http_target_invalid"),
    "non-ASCII target": (line(b"GET /mcp\xc3\xa4 HTTP/1.1"), 400, "http_malformed"),
    "control character in the target": (line(b"GET /mcp\x01 HTTP/1.1"), 400, "http_malformed"),
    "long request line": (line(b"GET /" + b"a" * 300 + b" HTTP/1.1"), 414, "http_target_too_long"),
    # Headers.
    "no Host": (b"GET /mcp HTTP/1.1\r\nX: y\r\n\r\n", 400, "http_host_invalid"),
    "no Host in HTTP/1.0": (b"GET /mcp HTTP/1.0\r\n\r\n", 400, "http_host_invalid"),
    "two Hosts": (GET + b"Host: b.example\r\n\r\n", 400, "http_host_invalid"),
    "two equal Hosts": (GET + HOST + b"\r\n", 400, "http_host_invalid"),
    "empty Host": (b"GET /mcp HTTP/1.1\r\nHost:\r\n\r\n", 400, "http_host_invalid"),
    "Host with a path": (b"GET /mcp HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "http_host_invalid"),
    "Host with a user": (b"GET /mcp HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "http_host_invalid"),
    "Host with a comma": (b"GET /mcp HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "http_host_invalid"),
    "Host with a strange port": (b"GET /mcp HTTP/1.1\r\nHost: a:8o\r\n\r\n", 400, "http_host_invalid"),
    "Host in a broken bracket": (b"GET /mcp HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "http_host_invalid"),
    "two credentials": (GET + b"Authorization: a\r\nauthorization: b\r\n\r\n", 400, "http_header_duplicate"),
    "two origins": (GET + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n", 400, "http_header_duplicate"),
    "two MCP names": (GET + b"Mcp-Name: a\r\nmcp-name: b\r\n\r\n", 400, "http_header_duplicate"),
    "two content types": (GET + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", 400, "http_header_duplicate"),
    "two of an unknown header": (GET + b"X-Any: a\r\nX-Any: b\r\n\r\n", 400, "http_header_duplicate"),
    "unknown expectation": (GET + b"Expect: 200-ok\r\n\r\n", 417, "http_expectation_failed"),
    "many headers": (GET + b"A: b\r\n" * 13 + b"\r\n", 431, "http_headers_too_large"),
    "one long header": (GET + b"X: " + b"a" * 700 + b"\r\n\r\n", 431, "http_headers_too_large"),
    "long headers": (GET + (b"X: " + b"a" * 100 + b"\r\n") * 6 + b"\r\n", 431, "http_headers_too_large"),
}
"""Name, bytes, status and error code."""

TAKEN: dict[str, bytes] = {
    "plain": GET + b"\r\n",
    "body": POST + b"Content-Length: 5\r\n\r\nhello",
    "chunks": CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "no body chunked": CHUNKED + b"0\r\n\r\n",
    "chunked in capitals": POST + b"Transfer-Encoding: Chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n",
    "body with blanks around the length": POST + b"Content-Length: \t3 \r\n\r\nabc",
    "query": b"GET /mcp/%C3%A4/a.b?x=/../%00&y[]=1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "lists": GET + b"Accept: a/b\r\nAccept: c/d\r\n\r\n",
    "IPv6 host": b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "upgrade ignored": GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "non-ASCII value": GET + b"X-City: S\xc3\xa3o\r\n\r\n",
    "DELETE": line(b"DELETE /mcp HTTP/1.1"),
    "a request in a body": POST + b"Content-Length: 41\r\n\r\n" + b"GET /admin HTTP/1.1\r\nHost: a.example\r\n\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_ambiguous_or_oversized_request_gets_its_one_refusal(name: str) -> None:
    sent, status, code = REFUSED[name]
    app = EchoApp()
    async with serving(app, LIMITS) as (_, where):
        async with connected(where) as peer:
            await peer.send(sent)
            answer = await peer.answer()
            assert (answer.status, answer.code) == (status, code)
            assert answer.headers["connection"] == "close"
            assert answer.headers["x-content-type-options"] == ALWAYS.decode().partition(": ")[2].strip()
            assert await peer.rest() == b"", "nothing follows a refusal"
    assert app.seen == [], "no application sees what is refused"


async def test_what_is_well_formed_is_taken_and_the_connection_kept() -> None:
    async with serving(EchoApp(), LIMITS) as (_, where):
        async with connected(where) as peer:
            for name, sent in TAKEN.items():
                await peer.send(sent)
                answer = await peer.answer()
                assert answer.status == 200, name
                assert "connection" not in answer.headers, name


def outcome(parts: list[bytes]) -> list[tuple[str, ...]]:
    """What a connection makes of bytes that arrive in these parts: every request and perhaps one refusal."""
    reader = RequestReader(LIMITS)
    found: list[tuple[str, ...]] = []
    head = None
    try:
        for part in parts:
            reader.buffer += part
            while True:
                if head is None:
                    head = reader.take_head()
                    if head is None:
                        break
                    reader.begin_body(head, LIMITS.max_body_bytes)
                body = reader.take_body()
                if body is None:
                    break
                found.append((head.method, head.path, head.query, repr(head.headers), repr(body)))
                head = None
    except Fault as fault:
        found.append((fault.kind.code,))
    return found


SHAPES = st.sampled_from([sent for sent, _, _ in REFUSED.values()] + list(TAKEN.values()))


@st.composite
def split(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Some requests behind each other, with a few bytes changed."""
    stream = bytearray(b"".join(draw(st.lists(SHAPES, min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(stream) - 1))
        stream[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b";", b",", b"0", b"\xff", b"\r\n\r\n"])
        )
        if not stream:
            stream = bytearray(b"\r")
    return bytes(stream)


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_how_bytes_are_split_never_changes_what_they_mean(data: st.DataObject) -> None:
    stream = data.draw(damaged())
    whole = outcome([stream])
    assert outcome(data.draw(split(stream))) == whole
    assert outcome([stream[at : at + 1] for at in range(len(stream))]) == whole


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=1500))
def test_garbage_is_refused_or_waited_for_and_never_taken_for_a_fault_of_ours(garbage: bytes) -> None:
    for found in outcome([garbage]):
        assert len(found) == 5 or found[0] in {code for _, _, code in REFUSED.values()}


@pytest.mark.parametrize("name", sorted(REFUSED)[::6] + sorted(TAKEN))
async def test_a_request_that_arrives_byte_by_byte_gets_the_same_answer(name: str) -> None:
    sent = TAKEN[name] if name in TAKEN else REFUSED[name][0]
    async with serving(EchoApp(), LIMITS) as (_, where):
        whole = await ask(where, sent)
        slow = await ask(where, *[sent[at : at + 1] for at in range(len(sent))])
        assert (slow.status, slow.body) == (whole.status, whole.body)


async def test_a_smuggled_request_reaches_no_application() -> None:
    app = EchoApp()
    inner = b"GET /admin HTTP/1.1\r\nHost: a.example\r\n\r\n"
    async with serving(app, LIMITS) as (_, where):
        for framing in (
            b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n0;x\r\n\r\n",
            b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n",
        ):
            async with connected(where) as peer:
                await peer.send(POST + framing + inner)
                assert (await peer.answer()).status == 400
                assert await peer.rest() == b""
    assert app.seen == []
