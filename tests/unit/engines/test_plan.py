"""What a build will do."""

import pytest

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.plan import CopyStep, RunStep, Stage, WorkdirStep, make_plan, needed
from emtui.local.engines.problems import BuildProblem

OWN = ImageConfig(env={"OWN": "1"}, cmd=("own",), entrypoint=("/own",))


def plan(text: str) -> list[Stage]:
    return make_plan(parse_dockerfile(text), ("alpine",), {"mine:latest": OWN}.get)


def test_configuration() -> None:
    (stage,) = plan(
        "ARG BASE=alpine\nFROM $BASE\nARG X=1\nENV Y=${X}2 Z='a b'\nENV OLD the rest\nLABEL l=$Y\nMAINTAINER me\n"
        'EXPOSE 80 443/udp\nUSER app:$X\nWORKDIR /a\nWORKDIR b\nVOLUME /v\nVOLUME ["/w"]\nSTOPSIGNAL 9\n'
        'HEALTHCHECK CMD true\nSHELL ["/bin/ash", "-ec"]\nCMD run $Y\n'
    )
    config = stage.config
    assert stage.parent == "base:alpine"
    assert (config.env["Y"], config.env["Z"], config.env["OLD"]) == ("12", "a b", "the rest")
    assert "X" not in config.env
    assert config.labels == {"l": "12", "maintainer": "me"}
    assert config.ports == ("80", "443/udp")
    assert (config.user, config.workdir, config.volumes) == ("app:1", "/a/b", ("/v", "/w"))
    assert config.cmd == ("/bin/ash", "-ec", "run $Y")
    assert len(stage.notes) == 2
    assert ImageConfig.from_json(config.to_json()) == config


def test_entrypoint_takes_away_the_base_command() -> None:
    assert plan('FROM alpine\nENTRYPOINT ["/e"]')[0].config.argv("") == ("/e",)
    assert plan('FROM alpine\nCMD ["c"]\nENTRYPOINT ["/e"]')[0].config.argv("") == ("/e", "c")
    assert plan("FROM mine")[0].config.argv("") == ("/own", "own")
    assert plan("FROM mine")[0].config.argv("echo a | b") == ("/bin/sh", "-c", "echo a | b")


def test_steps() -> None:
    (stage,) = plan(
        "FROM alpine\nARG V=1\nWORKDIR /app\nCOPY a b ./\nCOPY --chown=u --chmod=0755 a /x\n"
        'ADD ["a b", "c/"]\nRUN echo $V\nRUN ["x"]'
    )
    workdir, first, second, third, shell, listed = stage.steps
    assert isinstance(workdir, WorkdirStep)
    assert isinstance(first, CopyStep)
    assert isinstance(second, CopyStep)
    assert isinstance(third, CopyStep)
    assert isinstance(shell, RunStep)
    assert isinstance(listed, RunStep)
    assert (first.sources, first.target, first.into_folder) == (("a", "b"), "/app/", True)
    assert (second.mode, second.into_folder, second.unpacks) == (0o755, False, False)
    assert (third.sources, third.unpacks) == (("a b",), True)
    assert shell.argv == ("/bin/sh", "-c", "echo $V")
    assert shell.env["V"] == "1"
    assert listed.argv == ("x",)


def test_stages() -> None:
    stages = plan(
        "FROM alpine AS one\nRUN a\nFROM one AS two\nFROM alpine\nFROM scratch\n"
        "COPY --from=two /a /b\nCOPY --from=0 /c /d\nCOPY --from=mine /e /f"
    )
    assert [stage.parent for stage in stages] == ["base:alpine", 0, "base:alpine", None]
    assert [step.origin for step in stages[3].steps if isinstance(step, CopyStep)] == [1, 0, "mine:latest"]
    assert needed(stages) == [0, 1, 3]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("RUN x", "no build stage"),
        ("ARG a=b", "FROM is missing"),
        ("FROM", "at least one argument"),
        ("FROM a b", "either one or three"),
        ("FROM $NONE", "blank"),
        ("FROM Bad!", "invalid reference"),
        ("FROM nope:1", "docker.io/library/nope:1: failed to do request"),
        ("FROM ghcr.io/a/b", "lookup ghcr.io: no such host"),
        ("FROM alpine\nCOPY x", "at least two arguments"),
        ("FROM alpine\nCOPY a b /c", "must be a directory"),
        ("FROM alpine\nCOPY --chmod=u+x a /c", "invalid chmod"),
        ("FROM alpine\nCOPY --from=later a /c", "later"),
        ("FROM alpine\nCOPY --from=7 a /c", "invalid from flag"),
        ("FROM alpine\nCOPY --from=scratch a /c", "scratch has no files"),
        ("FROM alpine\nADD https://x/y /z", "air-gapped"),
        ("FROM alpine\nENV A", "two arguments"),
        ("FROM alpine\nLABEL A", "can't find ="),
        ("FROM alpine\nSHELL x", "JSON form"),
        ("FROM alpine\n" * 101, "more than 100 stages"),
    ],
)
def test_refused(text: str, named: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        plan(text)
    assert named in caught.value.message
