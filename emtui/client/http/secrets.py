"""What a server may say back and nobody may read: the passwords and tokens that were sent to it."""

import html
import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from emtui.errors import EmtuiError, LoggedFailure

SHOWN = "[secret]"
_MOST_KEPT = 32
# Shorter ones are words of any text: to blank each of them would tell them.
_LEAST_CHARS = 4
# Shorter ones are blanked only where they stand alone.
_LONG_CHARS = 8
_DEEPEST = 16


class Secrets:
    """The last secrets that one address was sent. They are taken out of every text that comes from there."""

    def __init__(self) -> None:
        self._known: deque[str] = deque(maxlen=_MOST_KEPT)
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)})"

    def add(self, secret: str) -> None:
        """This one is sent from now on."""
        if len(secret) < _LEAST_CHARS or secret in self._known:
            return
        self._known.append(secret)
        forms = {form for known in self._known for form in _forms(known)}
        self._pattern = re.compile("|".join(_pattern(form) for form in sorted(forms, key=len, reverse=True)))

    def clean(self, text: str) -> str:
        """`text` without them."""
        return text if self._pattern is None else self._pattern.sub(SHOWN, text)

    def clean_all(self, value: Any, deep: int = _DEEPEST) -> Any:
        """A JSON value whose texts are without them. What lies deeper than anybody looks is left out."""
        if isinstance(value, str):
            return self.clean(value)
        if not isinstance(value, list | dict):
            return value
        if not deep:
            return None
        if isinstance(value, list):
            return [self.clean_all(item, deep - 1) for item in value]
        return {key: self.clean_all(item, deep - 1) for key, item in value.items()}

    @contextmanager
    def out_of_errors(self) -> Iterator[None]:
        """An error that is raised within says nothing of them."""
        try:
            yield
        except EmtuiError as error:
            error.message, error.remedy = self.clean(error.message), self.clean(error.remedy)
            error.args = tuple(self.clean(arg) if isinstance(arg, str) else arg for arg in error.args)
            if isinstance(error, LoggedFailure):
                error.log_tail = tuple(self.clean(line) for line in error.log_tail)
            raise


def _forms(secret: str) -> Iterator[str]:
    """How it looks in a text, in JSON, in a form, and on a page."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    as_bytes = secret.encode("utf-8", "surrogateescape")
    yield quote(as_bytes, safe="")
    yield quote(as_bytes, safe="/")
    yield quote_plus(as_bytes)
    yield html.escape(secret)


def _pattern(form: str) -> str:
    return re.escape(form) if len(form) >= _LONG_CHARS else rf"(?<!\w){re.escape(form)}(?!\w)"
