"""The streams of the classic builder and of Podman's, and what becomes of them in the log."""

import pytest

from emtui.local.engines.docker.building.classic import ClassicProgress
from tests.unit.engines.docker_talk import Said, said

DOCKERFILE = "ARG A\nFROM mine AS one\nRUN a\nFROM busybox\nENV X=1\nCOPY --from=one x /\nRUN exit 7\n"

# Docker's titles end in a line of their own; what comes by itself is one text here.
DOCKER = [
    *("Step 1/7 : ARG A", "\n", "Step 2/7 : FROM emtui-0123456789ab/mine AS one", "\n", " ---> 53a00ec9c774\n"),
    *("Step 3/7 : RUN a", "\n", " ---> Running in 3538d7000e80\n", "\x1b[91merr\n\x1b[0m", "hel", "lo\n"),
    *("no newline", "Removing intermediate container 3538d7000e80\n", " ---> 30b8ad87e53e\n"),
    *("Step 4/7 : FROM busybox", "\n", " ---> 53a00ec9c774\n"),
    *("Step 5/7 : ENV X=1", "\n", " ---> Using cache\n", " ---> 53a00ec9c774\n"),
    *("Step 6/7 : COPY --from=one x /", "\n", " ---> Using cache\n", " ---> 53a00ec9c774\n"),
    *("Step 7/7 : RUN exit 7", "\n", " ---> Running in 3538d7000e80\n", "last words\n"),
]

PODMAN = [
    "[1/2] STEP 1/2: FROM emtui-0123456789ab/mine AS one\n",
    *("[1/2] STEP 2/2: RUN a\n", "err\n", "hello\n", "no newline", "--> 30b8ad87e53e\n"),
    "[2/2] STEP 1/4: FROM busybox\n",
    *("[2/2] STEP 2/4: ENV X=1\n", "--> Using cache 30b8ad87e53e\n", "--> 30b8ad87e53e\n"),
    *("[2/2] STEP 3/4: COPY --from=one x /\n", "--> Using cache 30b8ad87e53e\n", "--> 30b8ad87e53e\n"),
    *("[2/2] STEP 4/4: RUN exit 7\n", "last words\n"),
]


@pytest.fixture
def talk() -> Said:
    return said(DOCKERFILE)


@pytest.mark.parametrize("stream", [DOCKER, PODMAN])
def test_both_streams_are_the_same_log(talk: Said, stream: list[str]) -> None:
    progress = ClassicProgress(talk.talk, talk.stages, talk.names)
    for text in stream:
        assert progress.take({"stream": text}) == ""
    assert talk.lines() == [
        "#1 [one 1/2] FROM docker.io/library/mine:latest",
        "#1 DONE",
        "",
        "#2 [one 2/2] RUN a",
        "#2 err",
        "#2 hello",
        "#2 no newline",
        "#2 DONE",
        "",
        "#3 [stage-1 1/3] FROM docker.io/library/busybox:latest",
        "#3 DONE",
        "",
        "#4 [stage-1 2/3] COPY --from=one x /",
        "#4 CACHED",
        "",
        "#5 [stage-1 3/3] RUN exit 7",
        "#5 last words",
    ]


@pytest.mark.parametrize(
    "message",
    [
        "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
        'building at STEP "RUN exit 7": while running runtime: exit status 7',
    ],
)
def test_a_failing_run_in_the_words_of_the_others(talk: Said, message: str) -> None:
    progress = ClassicProgress(talk.talk, talk.stages, talk.names)
    for text in DOCKER:
        progress.take({"stream": text})
    words, line = progress.fail(message)
    assert (words, line) == ('process "/bin/sh -c exit 7" did not complete successfully: exit code: 7', 0)
    talk.talk.fail(words, line)
    assert "Dockerfile:7" in talk.lines()
    assert talk.log[-1] == f"failed to solve: {words}\n"


def test_the_image_is_the_last_one_named(talk: Said) -> None:
    progress = ClassicProgress(talk.talk, talk.stages, talk.names)
    assert progress.take({"aux": {"ID": "sha256:2"}}) == "sha256:2"
    assert progress.take({"aux": "no"}) == ""
    assert progress.take({"stream": 7}) == ""
