"""The command line in this process, as a script calls it: words go in, two streams and an exit code come out."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from emtui.__main__ import main


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """The fields between tabs, as a pipe gets them."""
        return [line.split("\t") for line in self.lines]

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)

    @property
    def records(self) -> list[Any]:
        """JSON Lines."""
        return [json.loads(line) for line in self.lines]


class Cli:
    """Runs emtui with some options in front of every run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
        self._monkeypatch = monkeypatch
        self._options = [str(option) for option in options]

    def __call__(self, *words: object) -> Done:
        """Run it in a pipe: no stream is a terminal."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(3)]
        with self._monkeypatch.context() as patch:
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            try:
                code = main([*self._options, *(str(word) for word in words)])
            except SystemExit as exit_:
                code = int(exit_.code or 0)
        _, stdout, stderr = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined] # the streams are made of BytesIO above
        return Done(code, stdout, stderr.decode())

    def ok(self, *words: object) -> Done:
        """The same; it must end with 0."""
        done = self(*words)
        assert done.code == 0, done
        return done
