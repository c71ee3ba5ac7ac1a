"""Every address is bound, or one clear line says which setting to change."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.supervisor.errors import ADDRESS_UNAVAILABLE
from mcp_platform.supervisor.sockets import listen_tcp


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_system_chooses_a_port_and_answers_on_it(host: str, opened: ExitStack) -> None:
    (sock,) = [opened.enter_context(sock) for sock in listen_tcp("gateway", host, 0)]
    assert sock.getsockname()[1] > 0
    opened.enter_context(socket.create_connection((host, sock.getsockname()[1]), 5))


def test_a_name_is_bound_on_all_its_addresses_with_one_port(opened: ExitStack) -> None:
    sockets = [opened.enter_context(sock) for sock in listen_tcp("gateway", "localhost", 0)]
    resolved = {where[0] for *_, where in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    assert {sock.getsockname()[0] for sock in sockets} == resolved
    assert len({sock.getsockname()[1] for sock in sockets}) == 1


def test_ipv6_is_not_ipv4_in_disguise(opened: ExitStack) -> None:
    (sock,) = [opened.enter_context(sock) for sock in listen_tcp("gateway", "::", 0)]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sock.getsockname()[1]), 5)


def test_a_port_in_use_names_address_port_and_setting(opened: ExitStack) -> None:
    (first,) = [opened.enter_context(sock) for sock in listen_tcp("gateway", "127.0.0.1", 0)]
    port = first.getsockname()[1]
    with pytest.raises(Fault) as refused:
        listen_tcp("console", "127.0.0.1", port)
    assert refused.value.kind is ADDRESS_UNAVAILABLE
    assert refused.value.data == {"setting": "console.port", "address": "127.0.0.1", "port": port}
    for part in ("127.0.0.1", str(port), "console.port"):
        assert part in refused.value.text
    assert "\n" not in refused.value.text


def test_an_address_that_was_in_use_a_moment_ago_is_bound_again() -> None:
    """A platform that was killed and started again must not wait for TIME_WAIT."""
    (sock,) = listen_tcp("gateway", "127.0.0.1", 0)
    port = sock.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), 5):
        accepted, _ = sock.accept()
        accepted.close()  # we close first: the connection stays in TIME_WAIT on our side
    sock.close()
    (again,) = listen_tcp("gateway", "127.0.0.1", port)
    again.close()


@pytest.mark.parametrize(
    ("host", "setting"), [("192.0.2.1", "host"), ("nowhere.invalid", "host"), ("a" * 70, "host"), ("\u0000", "host")]
)
def test_an_address_that_is_not_ours_names_the_host_setting(host: str, setting: str) -> None:
    with pytest.raises(Fault) as refused:
        listen_tcp("gateway", host, 0)
    assert refused.value.data["setting"] == f"gateway.{setting}"


def test_a_port_beyond_the_range_is_refused() -> None:
    with pytest.raises(Fault) as refused:
        listen_tcp("gateway", "127.0.0.1", 65536)
    assert refused.value.data["setting"] == "gateway.port"
