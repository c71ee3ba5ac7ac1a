"""What a changed configuration needs."""

from dataclasses import replace

from mcp_platform.base.config import Settings
from mcp_platform.base.config.settings import Gateway, Http, Upstreams, Vault
from mcp_platform.supervisor.reload import plan


def test_equal_settings_change_nothing() -> None:
    assert plan(Settings(), Settings()).changed == frozenset()


def test_a_changed_topic_is_named_and_taken() -> None:
    new = replace(Settings(), upstreams=Upstreams(call_timeout_s=5.0))
    found = plan(Settings(), new)
    assert (found.changed, found.needs_restart, found.settings) == ({"upstreams"}, (), new)


def test_what_is_bound_once_keeps_its_old_value_and_is_named() -> None:
    new = Settings(
        gateway=Gateway(port=9999, public_url="https://a.example"),
        http=Http(max_connections=5),
        vault=Vault(kek_file="/elsewhere"),
    )
    found = plan(Settings(), new)
    assert found.needs_restart == ("gateway.port", "http.max_connections", "vault.kek_file")
    assert found.changed == {"gateway"}
    assert found.settings == replace(Settings(), gateway=Gateway(public_url="https://a.example"))
