"""`config check` and `config show`, with the real command."""

from tests.cli.shell import Shell


def test_check_lists_every_mistake_with_its_line_and_ends_with_78(made: Shell) -> None:
    file = made.data / "mcp-platform.toml"
    file.write_text("[gateway]\nprot = 1\nport = true\n")
    done = made.run("config", "check")
    assert done.status == 78
    assert f"{file}:2" in done.err
    assert f"{file}:3" in done.err
    assert "did you mean `gateway.port`" in done.err
    assert len(made.run("config", "check", "--json").json()["error"]["data"]["problems"]) == 2


def test_check_of_good_settings_says_so(made: Shell) -> None:
    done = made.run("config", "check", "--json")
    assert (done.status, done.json()["ok"], done.json()["given"]) == (0, True, 2)


def test_show_names_the_origin_of_each_value(made: Shell) -> None:
    done = made.run("config", "show", "--origin", MCP_PLATFORM_HTTP__MAX_HEADERS="50")
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert rows["http.max_headers"] == ["50", "environment", "MCP_PLATFORM_HTTP__MAX_HEADERS"]
    assert rows["gateway.port"][0] == "0"
    lines = (made.data / "mcp-platform.toml").read_text().splitlines()
    assert rows["gateway.port"][1] == f"{made.data / 'mcp-platform.toml'}:{lines.index('port = 0') + 1}"
    assert rows["gateway.public_url"] == ["-", "default"]


def test_settings_can_be_looked_at_without_a_platform(shell: Shell) -> None:
    assert shell.run("config", "show", "--json").json()["settings"]["gateway.port"] == 8080


def test_a_folder_that_is_named_must_be_there(shell: Shell) -> None:
    done = shell.run("config", "check", "--data", "nothere")
    assert (done.status, done.out) == (78, "")
    assert done.err.startswith(f"Error: There is no folder {shell.folder / 'nothere'}; run `mcp-platform init`")
    assert shell.run("config", "check").status == 0
