"""`--since WHEN`, for what is told out of the journal."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime

from emtui.when import SINCE_EXAMPLES, parse_since


def add_since_option(parser: ArgumentParser, help_text: str) -> None:
    """Let `parser` take it; `options.since` is None where it was not given."""
    parser.add_argument("--since", metavar="WHEN", type=since_option, help=f"{help_text}; WHEN: {SINCE_EXAMPLES}")


def since_option(text: str) -> datetime:
    """An option's value as a moment, UTC."""
    from emtui.errors import InvalidField

    try:
        return parse_since(text, datetime.now(UTC))
    except InvalidField as error:
        raise ArgumentTypeError(
            f"{error.message.removeprefix('since: ')}: {text}. {error.remedy}".rstrip(".")
        ) from None
