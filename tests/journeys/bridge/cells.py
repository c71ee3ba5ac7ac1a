"""One client in front of one server: the table's trials in the names that the platform gives, and what came of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.journeys.bridge.clients import PROGRAMS
from tests.journeys.bridge.table import CLIENTS, Server, Step, Trial
from tests.journeys.platform import LEGACY, MODERN, Platform

ERAS = {"legacy": LEGACY, "modern": MODERN}
KINDS = ("tools", "prompts", "resources", "templates")
ENDS_SOON_S = 3.0
"""Seconds from the client's cancellation to the end of its call."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that agents see, by the server's own, for each kind of item."""

    server: str
    tools: dict[str, str]
    prompts: dict[str, str]
    resources: dict[str, str]
    templates: dict[str, str]

    @classmethod
    def of(cls, platform: Platform, server: str) -> "Names":
        def seen(items: list[dict[str, Any]]) -> dict[str, str]:
            return {each["name"]: each["exposed"] for each in items if each["exposed"]}

        resources = platform.cli("server", "resources", server)["resources"]
        return cls(
            server,
            seen(platform.cli("server", "tools", server)["tools"]),
            seen(platform.cli("server", "prompts", server)["prompts"]),
            seen([each for each in resources if not each["template"]]),
            seen([each for each in resources if each["template"]]),
        )

    def uri(self, own: str) -> str:
        """Of a resource, listed or not."""
        return self.resources.get(own) or f"mcpp://{self.server}/{quote(own, safe='')}"

    def step(self, step: Step) -> Step:
        """The step as a client must make it."""
        named = dict(step)
        if "tool" in step:
            named["tool"] = self.tools[step["tool"]]
        if "counted_by" in step:
            named["counted_by"] = self.tools[step["counted_by"]]
        if step["do"] == "prompt":
            named["name"] = self.prompts[step["name"]]
        if "prompt" in step:
            named["prompt"] = self.prompts[step["prompt"]]
        if "template" in step:
            named["template"] = self.templates[step["template"]]
        if "uri" in step:
            named["uri"] = self.uri(step["uri"])
        return named


@dataclass(frozen=True, slots=True)
class Cell:
    """The words of one cell, put into the table's steps and expectations."""

    word: str
    folder: Path
    names: Names

    @property
    def root(self) -> str:
        return (self.folder / "root").as_uri()

    def put_in(self, value: Any) -> Any:  # as JSON has it
        if isinstance(value, dict):
            return {name: self.put_in(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.put_in(each) for each in value]
        if isinstance(value, str):
            filled = value.replace("{cell}", self.word).replace("{folder}", str(self.folder))
            return filled.replace("{root}", self.root)
        return value

    def problem(self, trial: Trial, outcome: dict[str, Any]) -> str | None:
        """What is wrong with what came of a trial; None where nothing is."""
        wanted = self.put_in(trial.expects)
        if trial.step["do"] == "list":
            seen = {kind: set(getattr(self.names, kind).values()) - set(outcome.get(kind, ())) for kind in KINDS}
            return None if not any(seen.values()) and "tools" in outcome else f"not listed: {seen} {outcome}"
        if "error" in outcome or "raised" in outcome or outcome.get("failed"):
            return f"{outcome}"
        right = {
            "text": lambda said: wanted["text"] in "\n".join(outcome["text"]),
            "told": lambda said: said >= wanted["told"],
            "heard": lambda said: bool(said) and {self._name(each) for each in wanted["heard"]} <= set(said),
            "asked": lambda said: sorted(said) == sorted(wanted["asked"]),
        }
        wrong = [name for name in wanted if not right.get(name, wanted[name].__eq__)(outcome[name])]
        if trial.step["do"] == "cancel" and not (
            outcome["went_on"] and outcome["ended"] and outcome["took_s"] < ENDS_SOON_S
        ):
            wrong.append("cancel")
        return f"{wrong}: expected {wanted}, came {outcome}" if wrong else None

    def _name(self, heard: str) -> str:
        return self.names.uri(heard) if "://" in heard else heard


def tried(platform: Platform, folder: Path, client: str, server: Server, features: list[str]) -> dict[str, list[str]]:
    """What is wrong, by feature; all are tried in one run of the client. Each pair has a principal of its
    own, so that it meets no session or process of another's."""
    cell = Cell(f"{client}-{server.name}", folder, Names.of(platform, server.name))
    key = platform.cli("key", "create", "--principal", cell.word, "--role", "member")["api_key"]
    trials = [(feature, trial) for feature in features for trial in server.trials[feature]]
    steps = [cell.names.step(cell.put_in(trial.step)) for _, trial in trials]
    began, *came = PROGRAMS[client](platform.mcp_url, key, [cell.root], steps)
    assert began == {"era": ERAS[CLIENTS[client].era]}
    found: dict[str, list[str]] = {}
    for (feature, trial), outcome in zip(trials, came, strict=True):
        problem = cell.problem(trial, outcome)
        if problem is not None:
            found.setdefault(feature, []).append(problem)
    return found
