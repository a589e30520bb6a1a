"""`emtui completion`: the script that teaches a shell to complete emtui's words."""

from argparse import ArgumentParser, Namespace

from emtui.cli.output import Output
from emtui.cli.running import offline
from emtui.cli.verb import Verb

SHELLS = ("bash", "zsh", "fish")

_DESCRIPTION = """\
Nouns, verbs, options and their values, profiles, paths of the volume, images, models,
tags and files of this machine are completed. For the shell that you are in:

  bash   eval "$(emtui completion bash)"            in ~/.bashrc
  zsh    eval "$(emtui completion zsh)"             in ~/.zshrc, behind compinit
  fish   emtui completion fish > ~/.config/fish/completions/emtui.fish

Names of a remote EM or Grid Node are kept for a minute in your cache directory, readable
by you alone. Older ones are asked for, for at most two seconds, with the token that is
kept or in EMTUI_TOKEN; a password is neither asked for nor used."""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def _print(options: Namespace, out: Output) -> None:
    from emtui.completing.scripts import SCRIPTS

    out.stdout.write(SCRIPTS[options.shell])


VERBS = (
    Verb(
        "completion",
        "",
        "Print the script that makes a shell complete emtui's words",
        offline(_print),
        _configure,
        _DESCRIPTION,
        ("emtui completion bash", "emtui completion zsh", "emtui completion fish"),
        has_json=False,
    ),
)
