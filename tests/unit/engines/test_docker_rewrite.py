"""The Dockerfile that a Docker Engine is sent."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.docker.building.rewrite import (
    CONTEXT_FOLDER,
    Layout,
    must_be_flat,
    rewrite,
    sent_names,
    syntax_of,
)
from emtui.local.engines.dockerfile import Dockerfile, parse_dockerfile
from emtui.local.engines.plan import make_plan
from emtui.local.engines.problems import BuildProblem
from tests.unit.engines.docker_talk import DIALECT

IMAGES = {
    "mine:v1": ImageConfig(env={"HERE": "/here"}),
    "busybox:latest": ImageConfig(),
    "takes:latest": ImageConfig(onbuild=("COPY a /",)),
    "copies:latest": ImageConfig(onbuild=("COPY --from=busybox a /",)),
    "runs:latest": ImageConfig(onbuild=("RUN x", "ENV Y=1")),
    "caches:latest": ImageConfig(onbuild=("RUN --mount=type=cache,target=/c x",)),
    "quotes:latest": ImageConfig(onbuild=('ADD "a http://x" /y/',)),
    "names:latest": ImageConfig(onbuild=("COPY --from=one a /",)),
    "shows:latest": ImageConfig(onbuild=("RUN --mount=from=one,target=/x y",)),
}
NAMES = {name: f"emtui-0123456789ab/{name}" for name in IMAGES}


def sent(text: str, folder: str = "ctx", **options: Any) -> str:
    dockerfile = parse_dockerfile(text, DIALECT)
    stages = make_plan(dockerfile, (), IMAGES.get, DIALECT)
    return rewrite(text, dockerfile, stages, _layout(folder, **options))


def _layout(folder: str, platforms: dict[int, str] | None = None, **options: Any) -> Layout:
    return Layout(NAMES, platforms or {}, folder, caches="ours-", **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM \\\n  mine:v1\nUSER a", "FROM emtui-0123456789ab/mine:v1\n\nUSER a"),
        ("# syntax=evil\n\n# x\nfrom busybox", "\n\n\nFROM emtui-0123456789ab/busybox:latest"),
        ("# escape=`\n# syntax=x\nFROM `\nbusybox", "# escape=`\n\nFROM emtui-0123456789ab/busybox:latest\n"),
        ("\ufeffFROM scratch\r\nENV A=1\r\n", "FROM scratch\nENV A=1\n"),
        (
            "ARG B=mine:v1\nFROM --platform=$TARGETPLATFORM ${B} AS One\nFROM one\nCOPY --from=One --chown=$U a b",
            "ARG B=mine:v1\nFROM --platform=linux/amd64 emtui-0123456789ab/mine:v1 AS one\nFROM one\n"
            "COPY --from=0 --chown=$U a b",
        ),
        (
            "FROM busybox\nCOPY --from='mine:v1' --link \\\n a \\\n # c\n b",
            "FROM emtui-0123456789ab/busybox:latest\nCOPY --from=emtui-0123456789ab/mine:v1 --link a  b\n\n\n",
        ),
        ("FROM scratch\nCOPY . /x/", 'FROM scratch\nCOPY ["ctx/.", "/x/"]'),
        ("FROM scratch\nCOPY / ./ ../../a b/ /x/", 'FROM scratch\nCOPY ["ctx/", "ctx/", "ctx/a", "ctx/b/", "/x/"]'),
        ("FROM mine:v1\nADD $HERE/a* $HERE", 'FROM emtui-0123456789ab/mine:v1\nADD ["ctx/here/a*", "/here"]'),
        ('FROM scratch\nCOPY ["a \\\\$b\\\\\'", "x"]', 'FROM scratch\nCOPY ["ctx/a \\\\$b\\\\\'", "x"]'),
        ("FROM scratch\nCOPY --parents a/./b c /x/", 'FROM scratch\nCOPY --parents ["ctx/a/./b", "ctx/./c", "/x/"]'),
        ("FROM scratch\nRUN --mount=target=/c --network=none \\\n x",
         "FROM scratch\nRUN --mount=target=/c,source=ctx x\n"),
        ("FROM scratch\nRUN --mount=source=../../d,dst=/c x", "FROM scratch\nRUN --mount=dst=/c,source=ctx/d x"),
        ("FROM scratch\nARG D=../e\nRUN --mount=\"type=BIND\",src='$D',dst=/${D},ro x",
         "FROM scratch\nARG D=../e\nRUN --mount=type=bind,dst=/../e,ro,source=ctx/e x"),
        ("FROM scratch\nRUN --mount=type=cache,target=/c/ --mount=type=cache,id=/c,target=/d --security=sandbox x",
         "FROM scratch\nRUN --mount=type=cache,target=/c/,id=ours-/c --mount=type=cache,target=/d,id=ours-/c x"),
        ("FROM scratch\nHEALTHCHECK --interval='5s' --retries=\"3\"\tCMD x",
         "FROM scratch\nHEALTHCHECK --interval=5s --retries=3 CMD x"),
        ("FROM scratch AS a\nFROM scratch AS a\nFROM a AS b\nCOPY --from=a x /\nRUN --mount=from=A,dst=/m x",
         "FROM scratch AS emtui-0-a\nFROM scratch AS emtui-1-a\nFROM emtui-1-a AS b\nCOPY --from=1 x /\n"
         "RUN --mount=dst=/m,from=emtui-1-a x"),
        ("FROM scratch AS stage-1\nFROM scratch\nRUN --mount=from=stage-1,dst=/m x",
         "FROM scratch AS emtui-0-stage-1\nFROM scratch\nRUN --mount=dst=/m,from=emtui-0-stage-1 x"),
        ("FROM scratch\nCOPY \\\n a <<E <<-'F' /x/\n#b\r\nE\n\tF\nUSER a",
         "FROM scratch\n\nCOPY ctx/a <<E <<-'F' /x/\n#b\r\nE\n\tF\nUSER a"),
        ("FROM scratch\nUSER a\\", "FROM scratch\nUSER a"),
        ("FROM scratch\nRUN echo \\\\\nADD http://x /", "FROM scratch\nRUN echo \\ADD http://x /\n"),
        ("FROM runs\nRUN y", "FROM emtui-0123456789ab/runs:latest\nRUN y"),
    ],
)  # fmt: skip
def test_rewritten(text: str, expected: str) -> None:
    assert sent(text) == expected


def test_a_flat_context_stays_where_it_is() -> None:
    assert sent("FROM takes\nCOPY $X. /x", folder="") == 'FROM emtui-0123456789ab/takes:latest\nCOPY ["/.", "/x"]'
    dockerfile = parse_dockerfile("FROM takes", DIALECT)
    assert must_be_flat(make_plan(dockerfile, (), IMAGES.get, DIALECT))
    dockerfile = parse_dockerfile("FROM runs\nCOPY a /", DIALECT)
    assert not must_be_flat(make_plan(dockerfile, (), IMAGES.get, DIALECT))


def test_a_platform_is_put_in() -> None:
    assert sent("FROM busybox AS a", platforms={0: "linux/arm64"}) == (
        "FROM --platform=linux/arm64 emtui-0123456789ab/busybox:latest AS a"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FROM busybox AS 1a", "invalid name for build stage"),
        ("ARG X='a b'\nFROM --platform=$X busybox", "failed to parse platform"),
        ("FROM copies", "takes files from another image"),
        pytest.param("FROM busybox\nRUN " + "x \\\n" * 40_000, "is longer than", id="long"),
        ("FROM caches", "a trigger of the base image has a cache"),
        ("FROM quotes", "has quotes in it"),
        ("FROM busybox AS one\nFROM busybox AS one\nFROM names", "can be read differently"),
        ("FROM busybox AS one\nFROM busybox AS one\nFROM shows", "can be read differently"),
        ('FROM scratch\nADD "a http://x" <<E /y/\nE', "takes no name with a blank"),
    ],
)
def test_refused(text: str, named: str) -> None:
    with pytest.raises(BuildProblem, match=named):
        sent(text)


def test_a_trigger_may_name_a_stage() -> None:
    assert sent("FROM busybox AS one\nFROM names").endswith("FROM emtui-0123456789ab/names:latest")
    assert sent("FROM busybox AS one\nFROM shows").endswith("FROM emtui-0123456789ab/shows:latest")


def test_a_run_without_the_network_is_sent_where_a_build_has_it() -> None:
    text = "FROM scratch\nRUN --network=NONE x\nRUN --network=default y"
    assert sent(text, with_network=True) == "FROM scratch\nRUN --network=none x\nRUN y"
    assert sent(text, network_problem="needs Docker 23") == "FROM scratch\nRUN x\nRUN y"
    with pytest.raises(BuildProblem, match="RUN --network=NONE needs Docker 23") as caught:
        sent(text, with_network=True, network_problem="needs Docker 23")
    assert caught.value.line == 2


def test_no_two_stages_have_one_name() -> None:
    text = "FROM scratch AS emtui-1-a\nFROM scratch AS a\nFROM scratch AS a\nFROM scratch"
    stages = make_plan(parse_dockerfile(text, DIALECT), (), IMAGES.get, DIALECT)
    assert sent_names(stages) == ["emtui-1-a", "emtui-1-a-", "emtui-2-a", ""]


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# syntax=docker/dockerfile:1\nFROM x", "docker/dockerfile:1"),
        ("#!x\n\n#\tSYNTAX = a b \r\nFROM x", "a b"),
        ("FROM x\n# syntax=a", ""),
        ("", ""),
    ],
)
def test_the_builder_that_is_asked_for(text: str, syntax: str) -> None:
    assert syntax_of(text) == syntax


@given(st.lists(st.sampled_from(
    ["FROM busybox", "from mine:v1 as b", "RUN a \\", "COPY x y", "COPY <<E y", "E", "# c", "", " b \\", "ADD z /",
     "RUN --mount=target=/c \\", "ENV A='b", "RUN \\\\", "USER $A", "\\", "COPY --from=b c d", "# escape=`", "`"]
), max_size=12))  # fmt: skip
def test_what_is_sent_is_what_was_read(lines: list[str]) -> None:
    text = "\n".join(lines)
    with contextlib.suppress(BuildProblem):
        made = sent(text, CONTEXT_FOLDER)
        assert len(made.split("\n")) == len(lines)
        before, after = parse_dockerfile(text, DIALECT), parse_dockerfile(made, DIALECT)
        assert [item.keyword for item in after.instructions] == [item.keyword for item in before.instructions]
        assert after.escape == before.escape
        assert _unchanged(after) == _unchanged(before)


def _unchanged(dockerfile: Dockerfile) -> list[str]:
    # An escape character at the file's end continues nothing.
    return [
        item.value.rstrip(f"{dockerfile.escape} ")
        for item in dockerfile.instructions
        if item.keyword in ("RUN", "ENV", "USER")
    ]
