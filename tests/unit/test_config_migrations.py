"""From older versions to the one of now, and on: an invented version shows that the next step is easy."""

import tempfile
from pathlib import Path

import pytest

from emtui.config.document import parse, read_source
from emtui.config.migrations import STEPS, Step, migrated, newest
from emtui.config.model import VERSION
from emtui.config.rewriting import rewrite
from emtui.doctor.checks import Check
from emtui.errors import ConfigProblem, LocalProblem
from tests.unit.as_nobody import as_nobody


def _renamed(values: dict[str, object]) -> dict[str, object]:
    return {("screen" if key == "console" else key): value for key, value in values.items()} | {"version": 2}


STEPS_TO_2 = {
    **STEPS,
    1: Step(
        _renamed, lambda text: text.replace("[console]", "[screen]").replace("version = 1", "version = 2"), "renamed"
    ),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    path = tmp_path / "there/config.toml"
    path.write_text('# mine\n[console]\ntheme = "light"\n')
    return path


def test_the_steps_lead_to_the_version_of_the_model() -> None:
    assert sorted(STEPS) == list(range(VERSION))
    assert newest() == VERSION


def test_an_old_file_goes_through_every_step() -> None:
    assert migrated({"console": {}}, 0, STEPS_TO_2) == {"version": 2, "screen": {}}
    assert migrated({"version": 1, "console": {}}, 1, STEPS_TO_2) == {"version": 2, "screen": {}}


def test_values_and_text_come_to_the_same(file: Path) -> None:
    before = parse(read_source(file), STEPS_TO_2)
    assert (before.version, before.values) == (0, {"version": 2, "screen": {"theme": "light"}})
    done = rewrite(file, STEPS_TO_2)
    assert done is not None
    assert (done.version, done.newest, done.backup.name) == (0, 2, "config.toml.bak-0")
    assert file.read_text() == 'version = 2\n\n# mine\n[screen]\ntheme = "light"\n'
    after = parse(read_source(file), STEPS_TO_2)
    assert (after.version, after.values) == (2, before.values)
    with pytest.raises(ConfigProblem, match="of version 2, and this emtui knows versions up to 1"):
        parse(read_source(file))


def test_a_text_that_would_say_something_else_is_not_written(file: Path) -> None:
    text = file.read_text()
    steps = {0: Step(STEPS[0].values, lambda text: "version = 1\n", "everything is lost")}
    with pytest.raises(ConfigProblem, match="would not say what the old one does"):
        rewrite(file, steps)
    assert file.read_text() == text
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_changes_nothing(file: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = folder / "config.toml"
        kept.write_text(file.read_text())
        folder.chmod(0o555)

        def refused() -> list[Check]:
            with pytest.raises(LocalProblem, match="Permission denied") as caught:
                rewrite(kept)
            assert caught.value.remedy
            return []

        assert as_nobody(refused) == []
        folder.chmod(0o755)
        assert kept.read_text() == file.read_text()
        assert list(folder.iterdir()) == [kept]
