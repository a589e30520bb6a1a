"""`emtui keys`, `emtui keys check`, `emtui themes`."""

import io
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from emtui.__main__ import main
from emtui.keys.keymap import KEYS, Group
from emtui.theme_files import themes_folder
from tests.cli.harness import Cli


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "c.toml"


def _write(config: Path, keys: str = "", console: str = "") -> None:
    config.write_text(f"version = 1\n[console]\n{console}\n[keys]\n{keys}\n")


def test_the_keys_are_lines_of_group_key_id_meaning(bare: Cli) -> None:
    rows = bare.ok("keys").rows
    assert {row[2] for row in rows} == set(KEYS)
    assert rows[0] == ["Commands", "u", "uplink", "Uplink: Send files or whole folders to the volume", ""]


def test_keys_of_the_configuration_are_told_with_the_usual_ones(bare: Cli, config: Path) -> None:
    _write(config, 'uplink = "ctrl+u"\npane.next = "n"\ndelete = ""')
    rows = {row[2]: row for row in bare.ok("keys", "--config", config).rows}
    assert (rows["uplink"][1], rows["uplink"][4]) == ("ctrl+u", "u")
    assert (rows["pane.next"][1], rows["pane.next"][4]) == ("n", "tab")
    assert (rows["delete"][1], rows["delete"][4]) == ("", "x")
    assert rows["run"][4] == ""


def test_on_a_terminal_the_keys_stand_by_group_and_changed_ones_are_marked(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    _write(config, 'uplink = "U"\ndelete = ""')
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["keys", "--config", str(config)]) == 0
    lines = screen.getvalue().splitlines()
    assert lines[0] == "Commands"
    assert " ".join(lines[1].split()) == "* U uplink Uplink: Send files or whole folders to the volume (usually u)"
    assert lines[3].split()[:3] == ["*", "–", "delete"]
    assert [line for line in lines if line and not line.startswith(("  ", "* "))] == [group.value for group in Group]
    assert next(line for line in lines if " leave " in line).endswith("(fixed)")
    # However many keys another action has.
    assert lines[1][14:].startswith("uplink ")


def test_the_keys_as_a_document(bare: Cli, config: Path) -> None:
    _write(config, 'help = "?,f1"')
    document = {key["id"]: key for key in bare.ok("keys", "--json", "--config", config).json}
    assert document["help"] == {
        "id": "help",
        "group": "Console",
        "keys": ["question_mark", "f1"],
        "shown": "?, f1",
        "usual": ["question_mark"],
        "is_changed": True,
        "is_fixed": False,
        "meaning": "Help",
        "note": "needs a key",
    }
    assert document["leave"]["is_fixed"]


def test_right_keys_are_nothing_to_tell(bare: Cli, config: Path) -> None:
    _write(config, 'uplink = "d"\ndownlink = "u"')
    done = bare.ok("keys", "check", "--config", config)
    assert done.text == ""
    assert "its keys are right" in done.stderr
    assert bare.ok("keys", "check", "--json", "--config", config).json == []


def test_a_key_that_most_terminals_do_not_send_is_told_and_no_failure(bare: Cli, config: Path) -> None:
    _write(config, 'uplink = "ctrl+shift+u"')
    (line,) = bare.ok("keys", "check", "--config", config).lines
    assert line.startswith(f"{config}:5: keys.uplink: most terminals do not send ctrl+shift+u. ")
    (found,) = bare.ok("keys", "check", "--config", config, "--json").json
    assert (found["level"], found["line"], found["key"]) == ("warning", 5, "keys.uplink")


def test_wrong_keys_are_not_listed_and_a_wrong_theme_does_not_matter_to_them(bare: Cli, config: Path) -> None:
    _write(config, 'uplink = "R"', 'theme = "gone"')
    done = bare("keys", "--config", config)
    assert (done.code, done.text) == (3, "")
    assert f"{config}:5: keys.uplink: R is the key of refresh too" in done.stderr
    _write(config, 'uplink = "U"', 'theme = "gone"')
    assert bare.ok("keys", "--config", config).rows[0][:3] == ["Commands", "U", "uplink"]


def test_without_a_configuration_the_keys_are_right(bare: Cli) -> None:
    assert "all keys are the usual ones" in bare.ok("keys", "check").stderr


def test_every_wrong_key_is_told_with_its_line(bare: Cli, config: Path) -> None:
    _write(config, 'uplink = "d"\nuplnk = "z"\npane.next = "entr"\ncopy = 5')
    done = bare("keys", "check", "--config", config)
    assert done.code == 3
    starts = [f"{config}:5: keys.uplink: d is the key of downlink", f"{config}:6: keys.uplnk: nothing"]
    starts += [f"{config}:7: keys.pane.next: 'entr' is not a key", f"{config}:8: keys.copy: a text"]
    assert len(done.lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(done.lines, starts, strict=True))
    assert "Did you mean 'uplink'?" in done.lines[1]
    document = bare("keys", "check", "--json", "--config", config)
    assert document.code == 3
    assert [(one["line"], one["key"]) for one in document.json] == [
        (5, "keys.uplink"),
        (6, "keys.uplnk"),
        (7, "keys.pane.next"),
        (8, "keys.copy"),
    ]


def test_other_faults_of_the_file_are_not_about_keys(bare: Cli, config: Path) -> None:
    _write(config, console="poll_s = -1")
    assert bare.ok("keys", "check", "--config", config).text == ""


def test_a_file_that_cannot_be_read_has_no_right_keys(bare: Cli, config: Path) -> None:
    config.write_text("[keys\n")
    assert bare("keys", "check", "--config", config).code == 3
    config.write_text("version = 99\n")
    assert bare("keys", "check", "--config", config).code == 3
    assert bare("keys", "check", "--config", config.with_name("none.toml")).code == 3


def test_the_themes_are_listed_with_the_one_in_force(bare: Cli, config: Path) -> None:
    _write(config, console='theme = "light"')
    assert bare.ok("themes", "--config", config).rows == [
        ["dark", "dark", "on board", ""],
        ["contrast", "dark", "on board", ""],
        ["light", "light", "on board", "in force"],
    ]


def test_a_theme_that_is_not_there_is_told_with_those_that_are(bare: Cli, config: Path) -> None:
    _write(config, console='theme = "gone"')
    done = bare.ok("themes", "--config", config)
    assert len(done.rows) == 3
    assert f"{config}:3: console.theme: one of dark, contrast, light is expected, not “gone”" in done.stderr


@pytest.mark.parametrize("name", ["dark", "contrast", "light"])
def test_a_theme_is_shown_as_the_file_that_it_is_and_an_own_one_can_be_made_of_it(bare: Cli, name: str) -> None:
    text = bare.ok("themes", "show", name).text
    assert text == (files("themes") / f"{name}.toml").read_text("utf-8")
    themes_folder().mkdir(parents=True)
    own = text.replace(f'name = "{name}"', 'name = "mine"')
    (themes_folder() / "mine.toml").write_text(own)
    assert bare.ok("themes").rows[3][0] == "mine"
    assert bare.ok("themes", "show", "mine").text == own


def test_a_theme_that_is_not_there_is_not_shown(bare: Cli) -> None:
    done = bare("themes", "show", "ligt")
    assert (done.code, done.text) == (3, "")
    assert "Did you mean 'light'?" in done.stderr


def test_own_themes_are_listed_and_wrong_ones_told(bare: Cli, tmp_path: Path) -> None:
    pattern = (files("themes") / "light.toml").read_text("utf-8")
    folder = themes_folder()
    assert folder.is_relative_to(tmp_path)
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(pattern.replace('name = "light"', 'name = "mine"'))
    (folder / "torn.toml").write_text(pattern.replace('name = "light"', 'name = "torn"').replace("muted", "mutd"))
    done = bare.ok("themes")
    assert done.rows[3] == ["mine", "light", str(folder / "mine.toml"), ""]
    assert len(done.rows) == 4
    assert "torn.toml: [console]: mutd: unknown key. Did you mean 'muted'?" in done.stderr
    document = bare.ok("themes", "--json").json
    assert [theme["name"] for theme in document if theme["is_in_force"]] == ["dark"]
    assert document[3]["path"] == str(folder / "mine.toml")
    assert document[0]["colors"]["primary"].startswith("#")


def test_a_theme_is_shown_as_the_list_has_it(bare: Cli) -> None:
    [light] = [theme for theme in bare.ok("themes", "--json").json if theme["name"] == "light"]
    assert bare.ok("themes", "show", "light", "--json").json == light
    assert bare("themes", "show", "ligth", "--json").code == 3
