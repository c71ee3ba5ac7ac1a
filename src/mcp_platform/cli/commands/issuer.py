"""`issuer add|list|remove|test|refresh|link|revoke`: identity providers whose tokens are taken."""

from typing import Any

import click

from mcp_platform.base import clock
from mcp_platform.cli import given
from mcp_platform.cli.commands.key import Duration
from mcp_platform.cli.lazy import Entry, LazyGroup
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session
from mcp_platform.cli.table import render
from mcp_platform.cli.times import moment

PLAIN = "JWT"


@click.group(
    cls=LazyGroup,
    examples=[
        "mcp-platform issuer add corp https://id.example.com --jwks-url https://id.example.com/jwks.json"
        " --default-role member",
        "mcp-platform issuer test corp",
    ],
    entries={
        "add": Entry("issuer", "add", "Trust an identity provider: take its tokens."),
        "list": Entry("issuer", "list_issuers", "List trusted issuers."),
        "remove": Entry("issuer", "remove", "Trust an issuer no longer, in every worker and within a second."),
        "test": Entry("issuer", "test", "Fetch an issuer's keys and say how they differ from those in use."),
        "refresh": Entry("issuer", "refresh", "Take an issuer's keys anew, now."),
        "link": Entry("issuer", "link", "Say which principal a subject of an issuer is."),
        "revoke": Entry("issuer", "revoke", "Refuse one token, or all that a subject was given until now."),
    },
)
def issuer() -> None:
    """Trust identity providers, and say what their tokens may do."""


@click.command(
    cls=Page,
    examples=[
        "mcp-platform issuer add corp https://id.example.com --jwks-url https://id.example.com/jwks.json"
        " --roles-claim groups --role staff=member",
        "mcp-platform issuer add ci https://ci.example.com --jwks-file ci-keys.json --default-role member",
    ],
)
@click.argument("name")
@click.argument("url")
@click.option("--jwks-url", metavar="URL", help="Where its keys are published. https, except on this machine.")
@click.option("--jwks-file", metavar="FILE", help="A file with its public keys (RFC 7517); `-` is stdin.")
@click.option("--secret-file", metavar="FILE", help="A file with a secret shared with it, for HS256; `-` is stdin.")
@click.option("--audience", "audiences", multiple=True, metavar="AUD", help="What `aud` must hold. Repeatable.")
@click.option("--algorithm", "algorithms", multiple=True, metavar="ALG", help="Allow this algorithm. Repeatable.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYP",
    help="Take tokens of this `typ`. Repeatable; default: at+jwt. Warning: `JWT` also takes tokens made for logins.",
)
@click.option("--authority", metavar="FILE", help="PEM certificates that vouch for --jwks-url, not the system's.")
@click.option("--refresh", type=Duration(), metavar="TIME", help="How often keys are fetched. Default: 5m.")
@click.option("--leeway", type=click.IntRange(0, 60), metavar="SECONDS", help="Clock difference allowed. Default: 30.")
@click.option("--max-life", type=Duration(), metavar="TIME", help="Longest life of a token taken. Default: 24h.")
@click.option("--roles-claim", metavar="CLAIM", help="The claim that --role maps; dots lead into objects.")
@click.option("--role", "role_map", multiple=True, metavar="VALUE=ROLE", help="What a value of it means. Repeatable.")
@click.option("--default-role", "default_roles", multiple=True, metavar="ROLE", help="For every token. Repeatable.")
@with_session
def add(session: Session, /, *, name: str, url: str, **options: Any) -> None:  # noqa: ANN401  # click's options by name
    """Trust the issuer URL under NAME: its tokens are taken as `Authorization: Bearer …`.

    URL is what `iss` in its tokens is, character by character. Without --audience, tokens must be made for the URL of
    the platform's own MCP endpoint. A token whose claims are given no role may call nothing.
    """
    sources = [options[each] for each in ("jwks_url", "jwks_file", "secret_file")]
    if sum(each is not None for each in sources) != 1:
        raise click.UsageError("Say where the keys are: one of --jwks-url, --jwks-file and --secret-file.")
    types = options["types"]
    if any(kind.upper() == PLAIN for kind in types):
        session.out.warning("--type JWT takes every kind of token of this issuer, those made for logins included.")
    secret = _content(options["secret_file"], "secret")
    answer = session.ask(
        "issuer.add",
        name=name,
        url=url,
        keys_url=options["jwks_url"],
        keys=_content(options["jwks_file"], "key set"),
        secret=None if secret is None else secret.rstrip("\r\n"),
        authority=_content(options["authority"], "authority"),
        audiences=list(options["audiences"]) or None,
        algorithms=list(options["algorithms"]) or None,
        types=list(types) or None,
        refresh_s=options["refresh"],
        leeway_s=options["leeway"],
        max_life_s=options["max_life"],
        roles_claim=options["roles_claim"],
        role_map=_role_map(options["role_map"]),
        default_roles=list(options["default_roles"]) or None,
    )
    session.out.result(answer)
    for why in answer["skipped"]:
        session.out.warning(f"Left out {why}.")
    keys = "a shared secret" if answer["shared_secret"] else _count(len(answer["keys"]), "key")
    session.out.line(f"Trusts issuer {name} ({answer['url']}) with {keys}.")
    if not answer["default_roles"] and not answer["role_map"]:
        session.out.advice(
            "Its tokens are given no role, so they may call nothing: add --roles-claim and --role, or --default-role."
        )


def _content(path: str | None, what: str) -> str | None:
    return None if path is None else given.text_of(path, what)


def _role_map(pairs: tuple[str, ...]) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for number, pair in enumerate(pairs, start=1):
        value, equals, role = pair.rpartition("=")
        if not equals or not value or not role:
            raise click.UsageError(f"--role number {number}: expected VALUE=ROLE.")
        found.setdefault(value, []).append(role)
    return found or None


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


@click.command("list", cls=Page, examples=["mcp-platform issuer list", "mcp-platform issuer list --json"])
@with_session
def list_issuers(session: Session) -> None:
    """List trusted issuers."""
    answer = session.ask("issuer.list")
    session.out.result(answer)
    if session.out.as_json:
        return
    if not answer["issuers"]:
        session.out.line("No issuers. Trust one: mcp-platform issuer add NAME URL --jwks-url URL")
        return
    now = clock.now()
    rows = [
        [
            row["name"],
            row["url"],
            row["keys_url"] or ("a shared secret" if row["shared_secret"] else "a file"),
            [key["kid"] or "(no kid)" for key in row["keys"]],
            moment(row["keys_at"], now),
        ]
        for row in answer["issuers"]
    ]
    session.out.line(render(["name", "issuer", "keys from", "keys", "changed"], rows))


@click.command(cls=Page, examples=["mcp-platform issuer remove corp"])
@click.argument("name")
@with_session
def remove(session: Session, *, name: str) -> None:
    """Trust the issuer NAME no longer; calls under way are cut. Its links and revocations are forgotten."""
    session.out.result(session.ask("issuer.remove", name=name))
    session.out.line(f"Removed issuer {name}.")


@click.command(cls=Page, examples=["mcp-platform issuer test corp"])
@click.argument("name")
@with_session
def test(session: Session, *, name: str) -> None:
    """Fetch the keys of the issuer NAME and compare, changing nothing."""
    answer = session.ask("issuer.test", name=name)
    session.out.result(answer)
    session.out.line(f"Issuer {name} has {_count(len(answer['keys']), 'usable key')}.")
    for what in ("new", "gone", "weak", "skipped"):
        if answer[what]:
            session.out.line(f"{what.capitalize()}: {', '.join(str(each) for each in answer[what])}")


@click.command(
    cls=Page,
    examples=["mcp-platform issuer refresh corp", "mcp-platform issuer refresh ci --jwks-file ci-keys.json"],
)
@click.argument("name")
@click.option("--jwks-file", metavar="FILE", help="The new keys, for an issuer without a URL for them; `-` is stdin.")
@with_session
def refresh(session: Session, *, name: str, jwks_file: str | None) -> None:
    """Take the keys of the issuer NAME anew. A key that is no longer among them is trusted no longer."""
    answer = session.ask("issuer.refresh", name=name, keys=_content(jwks_file, "key set"))
    session.out.result(answer)
    session.out.line(f"Issuer {name} has {_count(len(answer['keys']), 'key')}.")


@click.command(
    cls=Page,
    examples=[
        "mcp-platform issuer link corp 248289761001 --principal ana",
        "mcp-platform issuer link corp 248289761001 --remove",
    ],
)
@click.argument("name")
@click.argument("subject")
@click.option("--principal", metavar="NAME", help="The principal that it is; made if there is none of that name.")
@click.option("--remove", "remove_", is_flag=True, help="It is no stored principal any more.")
@with_session
def link(session: Session, *, name: str, subject: str, principal: str | None, remove_: bool) -> None:
    """Say which principal the SUBJECT (`sub`) of the issuer NAME is.

    It then has that principal's roles too, and can be disabled like any other principal.
    """
    if (principal is None) != remove_:
        raise click.UsageError("Say --principal NAME or --remove.")
    answer = session.ask("issuer.link", name=name, subject=subject, principal=principal)
    session.out.result(answer)
    is_now = f"principal {principal}" if principal is not None else "no stored principal"
    session.out.line(f"Subject {subject} of issuer {name} is {is_now}.")


@click.command(
    cls=Page,
    examples=["mcp-platform issuer revoke corp --jti 7c9e6679", "mcp-platform issuer revoke corp --sub 248289761001"],
)
@click.argument("name")
@click.option("--jti", metavar="ID", help="The token with this id.")
@click.option("--sub", metavar="SUBJECT", help="Every token that this subject was given until now.")
@with_session
def revoke(session: Session, *, name: str, jti: str | None, sub: str | None) -> None:
    """Refuse tokens of the issuer NAME, in every worker and within a second; calls under way are cut."""
    if (jti is None) == (sub is None):
        raise click.UsageError("Say --jti ID or --sub SUBJECT.")
    answer = session.ask("issuer.revoke", name=name, jti=jti, sub=sub)
    session.out.result(answer)
    what = f"the token {jti}" if jti is not None else f"every token that {sub} was given until now"
    session.out.line(f"Refuses {what}.")
