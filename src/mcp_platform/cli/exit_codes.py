"""Exit codes, and which error ends with which: decided here and nowhere else."""

from enum import IntEnum

from mcp_platform.base.errors import Fault


class ExitCode(IntEnum):
    """What a script can tell apart."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DOCTOR = 3
    REFUSED = 4
    CONFIGURATION = 78
    """EX_CONFIG of sysexits.h."""
    INTERRUPTED = 130
    """128 + SIGINT, as shells report it."""


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "It was done.",
    ExitCode.FAILED: "It could not be done; the message says why and what to do.",
    ExitCode.USAGE: "The command line is not right: an unknown command or option, a value of the wrong form.",
    ExitCode.DOCTOR: "`doctor` found a fault.",
    ExitCode.REFUSED: "It is not allowed: a permission, a policy or a setting forbids it.",
    ExitCode.CONFIGURATION: "A setting, the data folder, its keys or its schema is not right, a port or the data "
    "folder is in use, or `init` was already done.",
    ExitCode.INTERRUPTED: "You pressed Ctrl-C.",
}

# Errors about where and on what the platform runs: nothing in the command itself is wrong.
_CONFIGURATION_CODES = frozenset(
    {
        "address_unavailable",
        "already_initialised",
        "configuration_invalid",
        "data_folder_in_use",
        "data_folder_unusable",
        "journal_folder_missing",
        "journal_key_invalid",
        "kek_unusable",
        "keys_exist",
        "keys_missing",
        "not_initialised",
        "schema_newer",
        "schema_older",
        "settings_file_exists",
        "tls_pair_unusable",
        "vault_unseal_failed",
    }
)
_USAGE_STATUS = frozenset({400, 422})
_REFUSED_STATUS = frozenset({401, 403})
# Refusals whose HTTP status says something else to a client.
_REFUSED_CODES = frozenset({"isolation_required", "role_built_in", "upstream_address_refused"})


def of(fault: Fault) -> ExitCode:
    """The exit code for `fault`."""
    if fault.kind.code == "configuration_invalid" and _only_flags(fault):
        return ExitCode.USAGE
    if fault.kind.code in _CONFIGURATION_CODES:
        return ExitCode.CONFIGURATION
    if fault.kind.http in _REFUSED_STATUS or fault.kind.code in _REFUSED_CODES:
        return ExitCode.REFUSED
    if fault.kind.http in _USAGE_STATUS:
        return ExitCode.USAGE
    return ExitCode.FAILED


def _only_flags(fault: Fault) -> bool:
    problems = fault.data.get("problems")
    if not isinstance(problems, list) or not problems:
        return False
    return all(isinstance(p, dict) and str(p.get("where", "")).startswith("flag ") for p in problems)
