"""The nouns of the command line, each in a module that is imported when it is used."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emtui.cli.verb import Verb


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun.

    Attributes:
        name: `files`; its module here is called so, and has `VERBS`.
        summary: one line for `emtui --help`.
    """

    name: str
    summary: str

    def verbs(self) -> "Sequence[Verb]":
        """Its verbs; imports its module."""
        found: Sequence[Verb] = importlib.import_module(f"emtui.cli.nouns.{self.name}").VERBS
        return found


NOUNS: dict[str, Noun] = {
    noun.name: noun
    for noun in (
        Noun("files", "the volume: list, uplink, downlink, delete, sync"),
        Noun("image", "the images: build, load, list"),
        Noun("pod", "the pod: run, status"),
        Noun("grid", "the Grid Node: models, datasets, encrypted models"),
        Noun("log", "what was asked, when, and how it ended"),
        Noun("report", "a rehearsal's report out of the journal"),
        Noun("serve", "local mode as an EM and a Grid Node for others"),
        Noun("doctor", "what works here, what does not, and what to do about it"),
        Noun("config", "the configuration: path, show, check, schema, migrate"),
        Noun("keys", "the console's keys"),
        Noun("themes", "the console's themes"),
        Noun("completion", "completion for bash, zsh and fish"),
    )
}


def verb_named(noun: Noun, name: str) -> "Verb | None":
    """The verb of that name; the empty name is what a noun does without a verb."""
    return next((verb for verb in noun.verbs() if verb.name == name), None)
