"""A Dockerfile's lines joined, its here-documents, and what a RUN mounts."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.local.engines.dialect import whole
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.flags import take_flag
from emtui.local.engines.lines import LogicalLine, logical_lines
from emtui.local.engines.mounts import parse_mount
from emtui.local.engines.plan import RunStep, make_plan, needed
from emtui.local.engines.problems import BuildProblem
from tests.unit.engines.docker_talk import DIALECT, IMAGES


def read(text: str, escape: str = "\\") -> list[LogicalLine]:
    return list(logical_lines(tuple(text.split("\n")), escape, with_heredocs=True))


def test_here_documents_are_no_instructions() -> None:
    items = read("FROM x\nRUN <<EOF cat 2>&1 \\\n # comment\n <<-'TWO'\nFROM y\n EOF\nEOF\n\tRUN z\n\tTWO\nCMD c")
    assert [(item.keyword, item.first_line, item.last_line, item.end_line, item.has_heredocs) for item in items] == [
        ("FROM", 1, 1, 1, False),
        ("RUN", 2, 4, 9, True),
        ("CMD", 10, 10, 10, False),
    ]
    assert items[1].value == "<<EOF cat 2>&1  <<-'TWO'"


@pytest.mark.parametrize(
    "text",
    ["RUN echo $((1<<2))", 'RUN sh -c "cat <<EOF"', "RUN cat << EOF", 'RUN ["a", "<<EOF"]', "CMD <<EOF", "RUN a<<EOF"],
)
def test_what_is_no_here_document(text: str) -> None:
    items = read(f"{text}\nUSER a\nEOF")
    assert [item.keyword for item in items] == [text.split(maxsplit=1)[0], "USER", "EOF"]


@pytest.mark.parametrize(("text", "named"), [("RUN <<EOF\nx", "unterminated heredoc"), ("RUN <<EOF ${\nEOF", "failed")])
def test_a_here_document_that_cannot_be_read(text: str, named: str) -> None:
    with pytest.raises(BuildProblem, match=named):
        read(text)


def test_lines_are_joined_as_the_builder_does() -> None:
    items = read("RUN a \\  \n\n# comment\n   b\\\n\\\nc\n  \tcopy\t x  y \nRUN z \\")
    assert [(item.keyword, item.value) for item in items] == [("RUN", "a    bc"), ("COPY", "x  y"), ("RUN", "z")]
    assert read("RUN a `\nb", "`")[0].value == "a b"
    assert read("RUN a\\\nb", "`")[0].value == "a\\"


@given(st.text(alphabet="RUNCOPY<E\\ \n#`-'\"$\t\r{", max_size=200))
def test_lines_never_overlap(text: str) -> None:
    with contextlib.suppress(BuildProblem):
        at = 0
        for item in read(text):
            assert at < item.first_line <= item.last_line <= item.end_line
            at = item.end_line


def test_mounts() -> None:
    mount = parse_mount("type=CACHE,dst=/$X,ro", lambda text: text.replace("$X", "x"))
    assert (mount.type, mount.takes_context, mount.get("target")) == ("cache", False, "/x")
    assert mount.written(source="c") == "type=cache,dst=/x,ro,source=c"
    assert mount.written(target="/y") == "type=cache,ro,target=/y"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("type=bind,nonsense=1", 'unexpected key "nonsense"'),
        ("source=a,src=b,target=/x", '"src" is given twice'),
        ("from=$X,target=/x", '"from" cannot hold a variable'),
        ("type=$X,target=/x", '"type" cannot hold a variable'),
        ("source=$X,target=/x", "has a blank, a quote or the like in it"),
        ("type=nonsense,target=/x", 'unsupported mount type "nonsense"'),
        ("type=secret,id=a", "no secrets or keys can be given"),
        ("type=SSH", "no secrets or keys can be given"),
        ("", 'unexpected key ""'),
    ],
)
def test_mounts_that_are_refused(text: str, named: str) -> None:
    for made in ("a,from=secret", "a b", "'a'", "$Y", "a\\", "\x85", "ä"):
        with pytest.raises(BuildProblem) as caught:
            parse_mount(text, lambda text, made=made: text.replace("$X", made))  # type: ignore[misc] # bound at once
        assert named in caught.value.message


def test_flags_have_their_quotes_taken_away() -> None:
    assert take_flag("--a='b'\"c\"d  e --f", "") == ("a", "bcd", "e --f")
    assert take_flag("--link", "") == ("link", "", "")


@pytest.mark.parametrize(
    "flag",
    [
        r"--mount=type=bind,from=a,target=/m,id='\' ,from=secret:latest'",
        r"--mount=type=tmpfs,target=/m,id='\' x' --network=host",
        r"--mount=type=tmpfs,target=/m\ --network=host",
        '--mount=type=tmpfs,target=/m"\\" --network=host',
        "--mount=target=`x",
        "--mount='target=/a b'",
        "--mount='target=\"x\"'",
        "--mount=\"target='x'\"",
        "--mount=target='x",
        "--mount=target=/x\x1c--network=host",
        "--mount=target=/x\x85--network=host",
        "--mount=target=/x\u3000--network=host",
        "--mount=target=/\xe0",
    ],
)
@pytest.mark.parametrize("escape", ["\\", "`"])
def test_a_flag_that_builders_read_differently_is_refused(flag: str, escape: str) -> None:
    for keyword in ("RUN", "COPY", "HEALTHCHECK"):
        with pytest.raises(BuildProblem) as caught:
            parse_dockerfile(f"# escape={escape}\nFROM busybox\n{keyword} {flag} true /\n", DIALECT)
        assert caught.value.line == 3
        assert "--mount" in caught.value.message


def test_a_mounted_stage_is_needed() -> None:
    text = (
        "FROM busybox AS one\nRUN a\nFROM busybox\nRUN b\nFROM busybox\n"
        "RUN --mount=from=one,target=/x --mount=target=/c y"
    )
    stages = make_plan(parse_dockerfile(text, DIALECT), (), IMAGES.get, DIALECT)
    step = stages[2].steps[0]
    assert isinstance(step, RunStep)
    assert (step.origins, step.takes_context) == ((0,), True)
    assert needed(stages) == [0, 2]
    assert step.instruction.shown == "RUN --mount=from=one,target=/x --mount=target=/c y"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FROM busybox\nRUN --network=host x", "RUN --network=host is not allowed"),
        ("FROM busybox\nRUN --security='insecure' x", "is not allowed"),
        ("FROM busybox\nRUN --device=x x", "RUN --device is not supported"),
        ("FROM busybox\nRUN --mount=from=busybox,target=/x y", "name the image with FROM busybox AS"),
        ("FROM busybox AS a\nRUN --mount=from=a,target=/x y", "no earlier stage"),
        ("FROM busybox\nRUN --mount=from=secret,target=/x y", "secret: failed to resolve source metadata"),
        ("FROM busybox\nRUN --mount=from=0,target=/x y", "no earlier stage"),
        ("FROM busybox\nADD github.com/a/b /x", "air-gapped"),
        ("FROM busybox\nADD [\"ftp://a/b\", \"/x\"]", "air-gapped"),
        ("FROM busybox\nONBUILD RUN <<E\nx\nE", "ONBUILD with a here-document"),
        ("FROM busybox\nCOPY <<E\nx\nE", "at least two arguments"),
    ],
)  # fmt: skip
def test_refused_of_a_whole_builder_too(text: str, named: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        make_plan(parse_dockerfile(text, DIALECT), (), IMAGES.get, DIALECT)
    assert named in caught.value.message


def test_a_builder_that_is_too_old_for_here_documents_says_so() -> None:
    with pytest.raises(BuildProblem, match=r"RUN with a here-document \(<<\) needs Docker 23"):
        parse_dockerfile("FROM busybox\nRUN <<EOF\nx\nEOF\n", whole("linux/amd64", "needs Docker 23"))


def test_what_a_whole_builder_takes() -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM busybox AS one\nFROM one\nARG TARGETARCH\nLABEL old form\n"
        "COPY --chmod=u+x --chown=a:b --exclude=a --exclude=b --parents x /$TARGETARCH/\nCOPY <<E /e\nx\nE\n"
        "ONBUILD COPY y /\nRUN --network=none --security=sandbox z\n"
    )
    stages = make_plan(parse_dockerfile(text, DIALECT), (), IMAGES.get, DIALECT)
    assert stages[0].platform == "linux/amd64"
    assert stages[1].notes == []
    assert stages[1].config.labels == {"old": "form"}
    assert stages[1].config.onbuild == ("COPY y /",)
    copied, written, _ = stages[1].steps
    assert copied.instruction.shown == (
        "COPY --chmod=u+x --chown=a:b --exclude=a --exclude=b --parents x /$TARGETARCH/"
    )
    assert getattr(copied, "target", "") == "/amd64/"
    assert (copied.takes_context, written.takes_context) == (True, False)
