"""An error in the words of Python: texts name a setting by its option, which is an argument of `open_session` here."""

import contextlib
import re
from collections.abc import Iterator

from emtui.errors import ConfigProblem, EmtuiError

# `emtui serve --local DIR` is a command, to be typed as it stands.
_OPTION = re.compile(r"(?<!emtui serve )--[a-z][a-z-]*")


@contextlib.contextmanager
def in_python() -> Iterator[None]:
    """Every error that comes out of it speaks of `em_url`, not of `--em-url`.

    Only remedies, and what is said of the configuration: other messages are foreign text.
    """
    try:
        yield
    except EmtuiError as error:
        error.remedy = renamed(error.remedy)
        if isinstance(error, ConfigProblem):
            error.message = renamed(error.message)
        raise


def renamed(text: str) -> str:
    """A text of emtui's own, with the arguments of `open_session` in place of the options that it names."""
    if "--" not in text:
        return text
    from emtui.config.model import keys_of

    arguments = {setting.about.option: setting.key for setting in keys_of("profile").values()} | {"--config": "config"}
    return _OPTION.sub(lambda found: arguments.get(found[0], found[0]), text)
