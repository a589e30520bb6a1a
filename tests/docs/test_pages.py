"""Every page of the documentation does what it says."""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import EXECUTED, ROOT, Block, Page, PageProblem, pages, read_page
from tests.docs.running import BlockFailed, Reader, as_left, matches
from tests.docs.validating import steps_of
from tests.missing import missing

_PORT_S = 15.0


@contextlib.contextmanager
def _usual_port() -> Iterator[None]:
    """The port that `emtui serve` takes where nothing is said, for one page at a time."""
    with (Path(tempfile.gettempdir()) / f"emtui-docs-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The server of the page before may be at its end still: what was waited for is the shell that had started it.
        deadline = time.monotonic() + _PORT_S
        while not _is_free(8000):
            if time.monotonic() > deadline:
                missing("something else listens on port 8000")
            time.sleep(0.1)
        yield


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def follow(page: Page, home: Path) -> None:
    """Do what a page says, from its first block to its last."""
    for program in page.needs:
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    with contextlib.ExitStack() as stack:
        if page.uses_port:
            stack.enter_context(_usual_port())
        reader = Reader(home)
        stack.callback(reader.close)
        for block in page.blocks:
            reader.follow(block)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.slow
def test_a_page_does_what_it_says(path: Path, tmp_path: Path) -> None:
    follow(read_page(path), tmp_path / "home")


def test_few_blocks_are_not_executed() -> None:
    blocks = [block for path in pages() for block in read_page(path).blocks]
    executed = [block for block in blocks if block.is_executed and not block.is_hidden]
    left_out = [f"{block.where}: {block.not_run}" for block in blocks if block.not_run and block.language in EXECUTED]
    assert len(executed) > 10
    assert len(left_out) <= max(8, len(executed) // 5), "\n".join(left_out)


# What is hidden there is what the keys have done, or looks whether a file is right.
_HIDDEN = {"docs/quickstart.md": "--local rehearsal-1 ", "docs/serving.md": "systemd-analyze verify "}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/configuration.md",
        "docs/grid-node.md",
        "docs/keys-and-themes.md",
        "docs/quickstart.md",
        "docs/remote.md",
        "docs/serving.md",
    ],
)
def test_no_step_that_a_reader_needs_is_hidden(name: str) -> None:
    hidden = [block for block in read_page(ROOT / name).blocks if block.is_hidden]
    assert [block.where for block in hidden if name not in _HIDDEN or _HIDDEN[name] not in block.text] == []


def test_a_password_that_a_reader_needs_is_set_where_he_sees_it() -> None:
    guides = [path for path in pages() if path.name != "troubleshooting.md"]  # what is hidden there checks its tables
    hidden = [block for path in guides for block in read_page(path).blocks if block.is_hidden]
    assert [block.where for block in hidden if "EMTUI_PASSWORD" in block.text] == []


def test_a_folder_of_the_home_is_made_before_something_is_written_to_it() -> None:
    blocks = [block for path in pages() for block in read_page(path).blocks if block.is_executed]
    written = [(block, folder) for block in blocks for folder in re.findall(r"> ?(~/\S+)/", block.text)]
    assert len(written) >= 2
    assert [block.where for block, folder in written if f"mkdir -p {folder}\n" not in block.text] == []


def test_the_pages_name_one_setting_of_tmux() -> None:
    named = [re.findall(r"set -\w+ set-clipboard \w+", path.read_text(encoding="utf-8")) for path in pages()]
    assert {setting for settings in named for setting in settings} == {"set -s set-clipboard on"}


# ------------------------------------------------------------------------------------------- the harness itself


def _page(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return read_page(path)


def _follow(tmp_path: Path, text: str) -> None:
    follow(_page(tmp_path, text), tmp_path / "home")


def test_what_is_exported_and_where_it_goes_holds_for_the_next_block(tmp_path: Path) -> None:
    _follow(
        tmp_path,
        "```sh\nmkdir sub && cd sub\nNAME=kept\n```\n\n"
        '```sh\n[ "$NAME" = kept ]\n[ "$PWD" = ~/work/sub ]\n```\n'
        '```python\nimport os\nassert os.environ["NAME"] == "kept"\nassert os.getcwd().endswith("work/sub")\n```\n',
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```sh\ntrue\nfalse\n```\n", "page.md:1: it ends with 1, not with 0"),
        ("```sh\necho $UNSET\n```\n", "UNSET: unbound variable"),
        ("<!-- exit code: 5 -->\n```sh\ntrue\n```\n", "it ends with 0, not with 5"),
        ("```python\nraise KeyError('x')\n```\n", "KeyError"),
        ("```console\n$ echo a\nb\n```\n", "shows something else"),
        ("```console\n$ exit 3\n```\n", "ends with 3"),
        ("```python\nawait missing()\n```\n", "NameError"),
        ("<!-- goes on: ready -->\n```sh\necho no\n```\n", "it has ended with 0, and not gone on"),
        ("```yaml\njobs:\n  a:\n    steps:\n      - run: exit 4\n```\n", "it ends with 4"),
    ],
)
def test_a_block_that_fails_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BlockFailed, match=r"page\.md:\d+") as failed:
        _follow(tmp_path, text)
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```toml\n[profile.em]\nem_ulr = 'https://em.example.org'\n```\n", "em_ulr"),
        ("```toml\n[profile.em]\nem_url = 5\n```\n", "em_url"),
        ('```toml title="grid.toml"\n[[dataset]]\ntags = 5\n```\n', "dataset"),
        ("```json\n{]\n```\n", "page.md:1"),
        ("```yaml\na: [\n```\n", "page.md:1"),
    ],
)
def test_what_is_not_valid_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1") as failed:
        _follow(tmp_path, text)
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```\nls\n```\n", "language ''"),
        ("```sh\nls\n", "without an end"),
        ("<!-- notrun: x -->\n", "no such comment"),
        ("<!-- not run: -->\n```sh\nls\n```\n", "says nothing"),
        ("<!-- not run: x -->\n\nwords\n", "no block comes"),
        ('```sh title="run.sh"\nls\n```\n', "nothing later on the page uses it"),
    ],
)
def test_a_page_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(PageProblem, match=r"page\.md:1") as failed:
        _page(tmp_path, text)
    assert told in str(failed.value)


def test_files_servers_cells_consoles_and_ci_examples_are_followed(tmp_path: Path) -> None:
    _follow(
        tmp_path,
        '```sh title="run.sh"\necho made > made.txt\n```\n'
        "<!-- run first: export SECRET=s\n  test ! -e made.txt -->\n"
        "```sh\nsh run.sh\n```\n"
        "1. indented\n\n    ```console\n    $ cat made.txt\n    > test -t 1 && echo terminal\n"
        "    made\n    …\n    ```\n"
        "<!-- goes on: ready -->\n```sh\necho ready; sleep 60\n```\n"
        "```python\nimport asyncio\nhere = await asyncio.sleep(0, 'cell')\n```\n"
        "```python\nassert await asyncio.sleep(0, here) == 'cell'\n```\n"
        "<!-- not run: there is no such program -->\n```sh\nno-such-program\n```\n"
        "```yaml\njobs:\n  a:\n    steps:\n      - uses: x\n      - env: {A: b, SECRET: '${{ secrets.S }}'}\n"
        "        run: |\n          pip install emtui\n          test $A$SECRET = bs\n          touch ci\n```\n"
        "```yaml\njob:\n  script:\n    - test -e ci\n    - touch ci2\n```\n"
        "```sh\ntest -e ci2\n```\n",
    )


def test_emtui_is_there_and_nothing_of_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_PROFILE", "em")
    _follow(tmp_path, '```sh\nemtui --version\n[ -z "${EMTUI_PROFILE:-}" ]\n[ "$HOME" != "$PWD" ]\n```\n')


@pytest.mark.parametrize(
    ("expected", "shown", "is_same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a  \nb\n\n", True),
        ("a\nb\n", "a\n", False),
        ("a … c\n", "a b.* c\n", True),
        ("a … c\n", "a b\nc\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\n", "a\n", True),
        ("a.c\n", "abc\n", False),
    ],
)
def test_what_is_shown_is_compared_line_by_line(expected: str, shown: str, is_same: bool) -> None:
    assert matches(expected, shown) is is_same


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("\x1b[1mNAME\x1b[0m  SIZE\r\n", "NAME  SIZE\n"),
        ("\r\x1b[Kuplink a\r\x1b[Kuplink a  3 B\r\x1b[Kuplink a: listed\r\n", "uplink a: listed\n"),
        ("\r\x1b[Kbuild\r\x1b[K#1 DONE\r\n\r\x1b[Kbuild  #1\r\x1b[K\r\nbuilt\r\n", "#1 DONE\n\nbuilt\n"),
    ],
)
def test_what_a_terminal_shows_is_what_a_reader_sees_in_the_end(written: str, left: str) -> None:
    assert as_left(written) == left


def test_a_console_is_a_terminal_that_shows_progress(tmp_path: Path) -> None:
    _follow(tmp_path, "```console\n$ test -t 2 && [ $TERM != dumb ] && printf 'a\\r\\033[Kb\\n'\nb\n```\n")


def test_only_ci_examples_have_steps(tmp_path: Path) -> None:
    (block,) = _page(tmp_path, "```yaml\n- a\n- b\n```\n").blocks
    assert isinstance(block, Block)
    assert list(steps_of(block)) == []
