"""The listeners' TLS under attack: old versions, plain HTTP, silence, bad certificates put in place while it serves."""

import asyncio
import contextlib
import datetime
import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.attacks.certificates import Authority, Made
from tests.attacks.secured import Secured, secured
from tests.journeys.clients import OFFICIAL, Client
from tests.peers.environments import python_of

ISSUER = Authority()


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("modern"), ISSUER) as running:
        yield running


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("named"), ISSUER, public_url="https://mcp.example.com") as running:
        yield running


SURFACES = pytest.mark.parametrize("surface", ["gateway", "console"])


def handshake(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", port), 10)
    try:
        return context.wrap_socket(sock, server_hostname="127.0.0.1")
    except BaseException:
        sock.close()
        raise


def old(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """`context`, speaking nothing newer than `version`."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    if version < ssl.TLSVersion.TLSv1_2:
        with pytest.warns(DeprecationWarning, match="is deprecated"):
            context.minimum_version = version
        with pytest.warns(DeprecationWarning, match="is deprecated"):
            context.maximum_version = version
    else:
        context.maximum_version = version
    return context


@SURFACES
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2"])
def test_versions_before_1_3_are_refused(modern: Secured, surface: str, version: str) -> None:
    with pytest.raises(OSError, match=r"(?i)version|reset|eof|alert"):
        handshake(modern.ports[surface], old(modern.context(), ssl.TLSVersion[version])).close()


@SURFACES
def test_1_3_is_spoken_with_http_1_1_and_without_tickets(modern: Secured, surface: str) -> None:
    context = modern.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with handshake(modern.ports[surface], context) as sock:
        assert sock.version() == "TLSv1.3"
        assert sock.selected_alpn_protocol() == "http/1.1"
        assert sock.compression() is None
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % modern.ports[surface])
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        assert sock.session is None or not sock.session.has_ticket


def test_1_2_is_spoken_by_policy_alone_with_forward_secret_ciphers(tmp_path: Path) -> None:
    with secured(tmp_path, ISSUER, "1.2") as running:
        port = running.ports["gateway"]
        context = running.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with handshake(port, context) as sock:
            cipher = sock.cipher()
            assert sock.version() == "TLSv1.2"
            assert cipher is not None
            assert cipher[0].startswith("ECDHE-")
            assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
        for refused in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"):
            weak = running.context()
            weak.maximum_version = ssl.TLSVersion.TLSv1_2
            weak.set_ciphers(f"{refused}:@SECLEVEL=0")
            with pytest.raises(OSError, match=r"(?i)handshake|cipher|reset|eof|alert"):
                handshake(port, weak).close()
        with pytest.raises(OSError, match=r"(?i)version|reset|eof|alert"):
            handshake(port, old(running.context(), ssl.TLSVersion.TLSv1_1)).close()
        assert scan(running, "intermediate") == []


@SURFACES
def test_plain_http_gets_a_clear_400_and_no_word_of_hsts(named: Secured, surface: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", named.ports[surface], timeout=10)
    connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {named.api_key}"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 400
    assert b"https://" in body
    assert answer.getheader("strict-transport-security") is None
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("connection") == "close"
    connection.close()


@pytest.mark.parametrize("first", [b"\x00", b"\xff" * 100, b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x00\x02", b"\r\n"])
def test_what_is_neither_tls_nor_http_is_closed(modern: Secured, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", modern.ports["gateway"]), 10) as sock:
        sock.sendall(first)
        assert sock.recv(12) == b"HTTP/1.1 400"
        while sock.recv(65536):
            pass


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_a_slow_handshake_is_cut(modern: Secured, sent: bytes) -> None:
    """header_timeout_s is 1: silence, one byte, or half a ClientHello holds a connection no longer."""
    with socket.create_connection(("127.0.0.1", modern.ports["gateway"]), 10) as sock:
        sock.sendall(sent)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                pass
        assert 0.5 < time.monotonic() - began < 5


def test_slow_handshakes_keep_nobody_out(modern: Secured) -> None:
    crowd = [socket.create_connection(("127.0.0.1", modern.ports["gateway"]), 10) for _ in range(200)]
    try:
        for sock in crowd:
            sock.sendall(b"\x16\x03\x01")
        began = time.monotonic()
        assert modern.is_ready()
        assert time.monotonic() - began < 0.9
    finally:
        for sock in crowd:
            sock.close()


def test_a_handshake_that_fails_is_told_without_a_line_for_each(modern: Secured) -> None:
    for _ in range(30):
        with pytest.raises(OSError, match=r"(?i)version|reset|eof|alert"):
            handshake(modern.ports["gateway"], old(modern.context(), ssl.TLSVersion.TLSv1_2)).close()
    assert modern.log().count("tls_handshakes_failed") < 20
    assert "Traceback" not in modern.log()


@SURFACES
def test_every_answer_over_tls_to_a_name_says_hsts(named: Secured, surface: str) -> None:
    assert hsts(named, surface) == {"max-age=31536000; includeSubDomains"}


@SURFACES
def test_no_answer_of_a_loopback_address_says_hsts(modern: Secured, surface: str) -> None:
    """A browser would ask everything on this machine over https for a year."""
    assert hsts(modern, surface) == {None}


def hsts(running: Secured, surface: str) -> set[str | None]:
    said = set()
    for path in ("/readyz", "/nothing", "/mcp"):
        connection = running.connection(surface)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        said.add(answer.getheader("strict-transport-security"))
        connection.close()
    return said


def test_the_keys_of_listeners_are_in_no_other_process(modern: Secured) -> None:
    """The supervisor and the upstream-host, whose children run other people's code, never read them."""
    wanted = (modern.folder / "server-key.pem").read_bytes().splitlines()[1]
    holders = {name for name, pid in {**modern.pids(), "supervisor": modern.pid}.items() if in_memory(pid, wanted)}
    assert holders <= {"control", "worker-0", "worker-1"}


def in_memory(pid: int, wanted: bytes) -> bool:
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, rights, *_ = line.split()
            begin, end = (int(part, 16) for part in where.split("-"))
            if rights.startswith("rw") and end - begin < 1 << 28:
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(begin)
                    if wanted in memory.read(end - begin):
                        return True
    return False


# New certificates while it serves.


async def knock(running: Secured, stop: asyncio.Event, seen: set[int]) -> int:
    """Handshakes one after the other until `stop`; each must succeed."""
    context = running.context()
    done = 0
    while not stop.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["gateway"], ssl=context)
        seen.add(int(writer.get_extra_info("peercert")["serialNumber"], 16))
        writer.write(
            b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % running.ports["gateway"]
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        done += 1
    return done


async def until(seen: set[int], count: int) -> None:
    async with asyncio.timeout(15):
        while len(seen) < count:  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_a_new_pair_is_taken_under_load_without_one_failed_handshake(modern: Secured) -> None:
    seen: set[int] = set()
    stop = asyncio.Event()
    callers = [asyncio.create_task(knock(modern, stop, seen)) for _ in range(4)]
    await until(seen, 1)
    for count in (2, 3):
        ISSUER.issue().write(modern.folder)
        await until(seen, count)
    stop.set()
    assert sum(await asyncio.gather(*callers)) > 20


def mismatched(authority: Authority) -> Made:
    made = authority.issue()
    return Made(made.certificate, authority.issue().key, made.authority)


@pytest.mark.parametrize("bad", ["mismatched", "expired", "empty", "open", "gone"])
def test_a_bad_new_pair_keeps_the_old_and_says_so_once(modern: Secured, bad: str) -> None:
    before = settled(modern)
    lines = modern.log().count("tls_pair_refused")
    certificate, key = modern.folder / "server.pem", modern.folder / "server-key.pem"
    kept = certificate.read_text(), key.read_text()
    if bad == "gone":
        key.rename(key.with_suffix(".away"))
    else:
        spoil(modern, bad)
        modern.wait_for(lambda: modern.log().count("tls_pair_refused") >= lines + 3, "the refusals", 10)
    assert serial(modern) == before
    assert modern.log().count("tls_pair_refused") - lines in ((0,) if bad == "gone" else (3,))
    Made(*kept, "").write(modern.folder)
    taken = modern.log().count("tls_pair_taken")
    ISSUER.issue().write(modern.folder)
    modern.wait_for(lambda: serial(modern) != before, "the next good pair", 10)
    modern.wait_for(lambda: modern.log().count("tls_pair_taken") >= taken + 3, "all processes", 10)


def spoil(running: Secured, bad: str) -> None:
    certificate, key = running.folder / "server.pem", running.folder / "server-key.pem"
    if bad == "mismatched":
        mismatched(ISSUER).write(running.folder)
    elif bad == "expired":
        day = datetime.timedelta(days=1)
        ISSUER.issue(begins=-3 * day, ends=-day).write(running.folder)
    elif bad == "empty":
        certificate.write_text("")
    else:
        text = key.read_text()
        key.unlink()
        key.touch(0o644)
        key.write_text(text)


def settled(running: Secured) -> str:
    """The serial number on disk, once every process presents it: each takes a new pair in its own time."""
    on_disk = x509.load_pem_x509_certificate((running.folder / "server.pem").read_bytes())

    def all_have_it() -> bool:
        # One worker may get every connection, so what each process took last is read from its own word.
        said = [json.loads(line) for line in running.log().splitlines() if '"tls_pair_taken"' in line]
        taken = {each["process"]: int(each["serial"], 16) for each in said}
        told = len(taken) in (0, 3) and set(taken.values()) <= {on_disk.serial_number}
        return told and all(int(serial(running), 16) == on_disk.serial_number for _ in range(40))

    running.wait_for(all_have_it, "every process to have the pair on disk", 20)
    return serial(running)


def serial(running: Secured) -> str:
    with handshake(running.ports["gateway"], running.context()) as sock:
        shown = sock.getpeercert()
        assert shown is not None
        return str(shown["serialNumber"])


# What others say of us.


def scan(running: Secured, profile: str, surface: str = "gateway") -> list[str]:
    """What sslyze finds against Mozilla's `profile`; empty where all is well."""
    authority = running.folder / "authority.pem"
    authority.write_text(running.authority)
    line = [str(python_of("sslyze")), "-m", "sslyze", f"--mozilla_config={profile}", "--certinfo_ca_file"]
    line += [str(authority), f"127.0.0.1:{running.ports[surface]}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    _, _, verdict = done.stdout.partition("COMPLIANCE AGAINST")
    assert verdict, done.stdout + done.stderr
    found = [line.strip() for line in verdict.splitlines() if line.strip().startswith("*")]
    assert bool(found) == bool(done.returncode), verdict
    return found


@pytest.mark.peers
@SURFACES
def test_sslyze_finds_mozillas_modern_profile(modern: Secured, surface: str) -> None:
    assert scan(modern, "modern", surface) == []


@pytest.mark.peers
@pytest.mark.parametrize("client", OFFICIAL[:2], ids=lambda client: client.name)
def test_official_clients_call_over_tls_with_the_development_authority(
    tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Secured(tmp_path / "data", tmp_path / "home", workers=1)
    running.home.mkdir()
    running.first = running.cli("init", "--port", "0", "--console-port", "0", "--dev-tls")
    file = running.data / "tls" / "ca.pem"
    running.authority = file.read_text()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    running.start()
    try:
        era, listed = client(running.mcp_url, running.api_key, ["list"])
        assert era == {"era": client.era}
        assert listed == {"tools": []}
    finally:
        running.stop()
