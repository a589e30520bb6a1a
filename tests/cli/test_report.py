"""`emtui report`: a rehearsal on one page, made of the journal alone."""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from emtui.commands import BuildImage, Delete, Downlink, RunPod, Uplink
from emtui.local.workspace import Workspace
from emtui.models import PodSpec
from emtui.views import Stage
from tests.cli.harness import Cli
from tests.cli.journals import BUILD_LOG, Written, kinds
from tests.cli.refused import is_refused

SHA = "0123456789abcdef" * 4


@pytest.fixture
def written(workspace: Path) -> Iterator[Written]:
    one = Written(workspace)
    yield one
    one.journal.close()


def rehearse(written: Written) -> None:
    """Uplink, a build that fails and one that does not, a run, a downlink, and a delete whose answer was lost."""
    written.add(
        Uplink((Path("/here/echo-test"),)), ago=timedelta(minutes=9), note="2 files, 487 B, listed", sent_bytes=487
    )
    build = BuildImage("echo-test/Dockerfile", "echo-test", "echo-test")
    written.add(
        build,
        Stage.FAILED,
        ago=timedelta(minutes=8),
        error="Docker build failed",
        remedy="Read the log.",
        log_tail=BUILD_LOG,
    )
    written.add(build, ago=timedelta(minutes=7), note="Docker build successful")
    written.add(
        RunPod(PodSpec(docker_image="echo-test", max_duration=30, node="FPGA", command="cat a | wc")),
        ago=timedelta(minutes=6),
        note="Docker run scheduled successfully",
    )
    written.add(
        Downlink(("downlink.txt",), Path("/here/results")),
        ago=timedelta(minutes=3),
        note=f"1 file, 167 B, sha256 OK {SHA[:12]}",
        sent_bytes=167,
        sha256={"downlink.txt": SHA},
    )
    written.add(
        Delete(("old",)), Stage.UNKNOWN, ago=timedelta(minutes=2), error="no answer", remedy="Look, then decide."
    )


def test_a_rehearsal_is_one_page(emtui: Cli, written: Written) -> None:
    rehearse(written)
    page = emtui.ok("report").text
    assert len(page.splitlines()) < 70
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "What was done",
        "Images",
        "Pods",
        "Downlinks",
        "Failures",
        "Still open",
    ]
    assert "Made of the journal of emtui alone" in page
    assert "- **Commands:** 6: 4 complete, 1 failed, 1 unknown" in page
    assert re.search(r"\*\*Span:\*\* 20\S+Z – 20\S+Z \(00:07:02\), day 20\d\d-\d{3}", page)
    assert re.search(r"\| 1 \| 20\S+ \d\d:\d\d:\d\dZ \| 2\.5 s \| complete \| `uplink echo-test → /` \| 487 B \|", page)
    assert "| `echo-test` | build | `echo-test, echo-test/Dockerfile` |" in page
    assert r"| `echo-test` | `FPGA` | 30 min | `now` | cat a \| wc |" in page
    assert f"| `downlink.txt` | `/here/results` | 167 B | `{SHA}` |" in page
    assert "\n````text\n#1 [internal] load\n" in page
    assert "- **#6** unknown " in page
    assert page.endswith("`delete old`: no answer. Look, then decide.\n")


def test_the_same_is_a_document(emtui: Cli, written: Written) -> None:
    rehearse(written)
    told = emtui.ok("report", "--json").json
    assert told["made_of"] == "the journal alone"
    assert told["profile"] == f"local:{written.path.parent}"
    assert told["counts"] == {"complete": 4, "failed": 1, "unknown": 1}
    assert told["operators"] == ["operator"]
    assert [one["id"] for one in told["commands"]] == [1, 2, 3, 4, 5, 6]
    assert told["commands"][0]["duration_s"] == 2.5
    assert [one["image"] for one in told["images"]] == ["echo-test"]
    assert told["pods"][0]["spec"]["node"] == "FPGA"
    assert (told["downlinks"][0]["paths"], told["downlinks"][0]["sha256"]) == (["downlink.txt"], {"downlink.txt": SHA})
    assert told["downlinks"][0]["is_verified"]
    assert told["failures"][0]["log_tail"] == list(BUILD_LOG)
    assert [one["id"] for one in told["open"]] == [6]
    assert told["duration_s"] == pytest.approx(422.5, abs=1)


def test_it_is_of_one_day_unless_more_is_asked_for(emtui: Cli, written: Written) -> None:
    written.add(Delete(("old",)), ago=timedelta(hours=25))
    written.add(Delete(("new",)), ago=timedelta(hours=23))
    assert [one["title"] for one in emtui.ok("report", "--json").json["commands"]] == ["delete new"]
    assert len(emtui.ok("report", "--json", "--since", "2d").json["commands"]) == 2


def test_a_downlink_says_what_is_known_of_its_hashes(emtui: Cli, written: Written) -> None:
    one, both = {"a": SHA}, {"a": SHA, "b|`\nc": SHA}
    # The last is what an older emtui wrote: the beginning of the hash, in the note alone.
    for note, sha256 in (
        ("2 files, 4 B, sha256 OK", both),
        ("1 file, 3 B, of the listed size; no hash was promised", one),
        (f"1 file, 3 B, sha256 OK {SHA[:12]}", {}),
    ):
        written.add(Downlink(("a", "b"), Path("/here")), note=note, sent_bytes=4, sha256=sha256)
    page = emtui.ok("report").text
    assert "| `a`, `b` | `/here` | 4 B | verified |" in page
    assert f"| `a`, `b` | `/here` | 4 B | `{SHA}`, not promised |" in page
    assert f"| `a`, `b` | `/here` | 4 B | `{SHA[:12]}`… |" in page
    assert f"What **#1** has fetched:\n\n```text\n{SHA}  a\n{SHA}  b|`\\nc\n```\n" in page
    told = emtui.ok("report", "--json").json["downlinks"]
    assert [(one["is_verified"], one["sha256"]) for one in told] == [(True, both), (False, one), (True, {})]


def test_what_was_fetched_to_stdout_has_no_temporary_path(emtui: Cli, written: Written) -> None:
    written.add(Downlink(("a",), Path("/tmp/emtui-stdout-x/fetched"), is_for_stdout=True), note="1 file")
    page = emtui.ok("report").text
    assert "| `a` | stdout |" in page
    assert "/tmp/emtui-stdout-x" not in page


def test_a_real_transfer_tells_its_bytes_and_the_whole_hash(emtui: Cli, tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(data)
    emtui.ok("files", "uplink", tmp_path / "a")
    emtui.ok("files", "downlink", "a", "-o", tmp_path / "got")
    up, down = emtui.ok("log", "--json").json
    assert (up["bytes"], down["bytes"]) == (len(data), len(data))
    assert (up["sha256"], down["sha256"]) == ({}, {"a": hashlib.sha256(data).hexdigest()})
    assert f"| 2.2 MiB | `{hashlib.sha256(data).hexdigest()}` |" in emtui.ok("report").text


def test_nothing_done_is_a_page_too(emtui: Cli, workspace: Path) -> None:
    done = emtui.ok("report")
    assert done.text.endswith("Nothing was asked in this time.\n")
    assert "nothing is in" in done.stderr
    told = emtui.ok("report", "--json").json
    assert (told["commands"], told["began_at"], told["duration_s"]) == ([], None, None)
    assert not workspace.exists()


def test_it_is_made_while_another_emtui_has_the_workspace(emtui: Cli, workspace: Path) -> None:
    held = Workspace(workspace)
    written = Written(workspace)
    try:
        written.add(Delete(("b",)), Stage.SENT)
        assert "it has not ended" in emtui.ok("report").text
    finally:
        written.journal.close()
        held.close()


def test_no_name_breaks_the_page(emtui: Cli, written: Written) -> None:
    hostile = "a|b`c``\n# not a heading\x1b[31m<b>[x](javascript:1)\u202e\udcff"
    for stage in (Stage.COMPLETE, Stage.FAILED, Stage.UNKNOWN):
        written.add(
            Downlink((hostile,), Path("/here") / hostile.replace("\0", "")),
            stage,
            note=hostile,
            error=hostile,
            remedy=hostile,
            log_tail=("```\n", f"{hostile}\n", "````\n"),
        )
    written.add(RunPod(PodSpec(docker_image=hostile, max_duration=1, node=hostile, command=hostile)), note=hostile)
    written.add(BuildImage(hostile, hostile, hostile), note=hostile)
    page = emtui.ok("report").text
    assert re.findall(r"^#+ ", page, re.MULTILINE) == ["# ", *["## "] * 6]
    assert "\x1b" not in page
    assert "\u202e" not in page
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| #"):
            ends = re.findall(r"(?<!\\)(?:\\\\)*\|", line)
            assert len(ends) in (6, 8), line
    assert "`````text" in page


def test_a_command_of_another_version_is_told(emtui: Cli, written: Written) -> None:
    for command in kinds():
        written.add(command)
    with written.journal._db.change() as db:
        db.execute("UPDATE commands SET data = '[]'")
    page = emtui.ok("report").text
    assert page.count("(of another version of emtui)") == len(kinds())
    assert "| – | build | – |" in page


def test_it_is_written_to_a_file(emtui: Cli, written: Written, tmp_path: Path) -> None:
    rehearse(written)
    assert emtui.ok("report", "-o", tmp_path / "r.md").stdout == b""
    assert (tmp_path / "r.md").read_text().startswith("# Rehearsal of `local:")
    assert emtui("report", "-o", tmp_path / "r.md").code == 2
    for more in ((), ("--yes",)):
        is_refused(emtui("report", "-o", tmp_path, *more), Exit.FAILED, f"{tmp_path} is a folder. Name a file in it.")
    is_refused(emtui("report", "-o", f"{tmp_path}/new/"), Exit.USAGE, f"a file is needed, and {tmp_path}/new/ is a")
    assert not (tmp_path / "new").exists()


def test_a_long_log_is_cut_on_the_page_and_whole_in_the_document(emtui: Cli, written: Written) -> None:
    lines = tuple(f"line {number}\n" for number in range(100))
    written.add(Delete(("a",)), Stage.FAILED, error="e", log_tail=lines)
    page = emtui.ok("report").text
    assert "(80 lines before them are in the journal)" in page
    assert "line 79\n" not in page
    assert "line 99\n" in page
    assert len(emtui.ok("report", "--json").json["failures"][0]["log_tail"]) == 100
