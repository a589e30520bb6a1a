"""kill -9 between a command's intent and its end: the next emtui finds it in the journal."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emtui.commands import Uplink
from emtui.journal.journal import Journal
from emtui.views import Stage

VICTIM = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from emtui.commands import Delete, Uplink
from emtui.journal.journal import Journal
from emtui.views import Stage

journal = Journal(Path(sys.argv[1]))
now = datetime.now(UTC)
journal.finish(journal.begin(Delete(("a",)), "op", "p", now), Stage.COMPLETE, now)
number = journal.begin(Uplink((Path("/caf\\udce9"),), "x"), "op", "p", now)
for stage in sys.argv[2:]:
    journal.advance(number, Stage(stage), now)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "stages", [[], ["held"], ["released"], ["released", "sent"], ["sent", "accepted"], ["sent", "executing"]], ids=str
)
def test_a_killed_emtui_leaves_its_command_in_the_journal(tmp_path: Path, stages: list[str]) -> None:
    path = tmp_path / "journal.db"
    killed = subprocess.run([sys.executable, "-c", VICTIM, str(path), *stages], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    journal = Journal(path)
    try:
        (entry,) = journal.open_entries()
        assert entry.command == Uplink((Path("/caf\udce9"),), "x")
        assert entry.stage == (stages[-1] if stages else "queued")
        assert (entry.sent_at is not None) == ("sent" in stages)
        journal.finish(entry.id, Stage.UNKNOWN, datetime.now(UTC), error="emtui was killed")
        assert journal.open_entries() == []
    finally:
        journal.close()
