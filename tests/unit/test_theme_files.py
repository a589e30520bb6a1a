"""The operator's own themes: found, read, and left out with a word where they are wrong."""

import os
from importlib.resources import files
from pathlib import Path

import pytest

from emtui.errors import ConfigProblem
from emtui.theme_files import bundled_names, read_own_themes, read_theme, theme_names, themes_folder


def _pattern(name: str) -> str:
    return (files("themes") / "dark.toml").read_text("utf-8").replace('name = "dark"', f'name = "{name}"')


@pytest.fixture
def folder(own_home: Path) -> Path:
    made = themes_folder()
    assert made.is_relative_to(own_home)
    made.mkdir(parents=True)
    return made


def test_without_a_folder_there_are_those_on_board() -> None:
    assert theme_names() == bundled_names() == ("dark", "contrast", "light")
    assert read_own_themes() == ((), ())
    assert read_theme("light").path is None


def test_an_own_theme_is_one_like_those_on_board(folder: Path) -> None:
    (folder / "night-shift.toml").write_text(_pattern("night-shift").replace("#4dacff", "#ff0000"))
    assert theme_names() == (*bundled_names(), "night-shift")
    theme = read_theme("night-shift")
    assert theme.path == folder / "night-shift.toml"
    assert theme.colors["primary"] == "#ff0000"
    assert read_own_themes() == ((theme,), ())


def test_what_is_not_a_theme_is_not_looked_at(folder: Path) -> None:
    for name in ("README.md", ".hidden.toml", "x.toml~"):
        (folder / name).write_text("nothing")
    assert theme_names() == bundled_names()
    assert read_own_themes() == ((), ())


@pytest.mark.parametrize(
    ("name", "content", "message", "remedy"),
    [
        ("a", _pattern("a").replace("primary", "primry", 1), "[colors]: primry: unknown key", "primary"),
        ("a", _pattern("b"), "name: is 'b', and the file is called 'a'", 'name = "a"'),
        ("a", "name = ", "a.toml: ", "Mend it there."),
        ("a", "x = " + "[" * 20_000, "a.toml: ", "Mend it there."),
        ("a", "# " + "x" * 70_000, "over 64 KiB", "page of colours"),
        ("dark", _pattern("dark"), "a theme on board is called 'dark'", "another name"),
        ("no good", _pattern("no good"), "'no good' cannot be a theme's name", "letters"),
        ("x" * 41, _pattern("x"), "cannot be a theme's name", "at most 40"),
    ],
)
def test_a_wrong_one_is_left_out_and_told(folder: Path, name: str, content: str, message: str, remedy: str) -> None:
    (folder / f"{name}.toml").write_text(content)
    (folder / "fine.toml").write_text(_pattern("fine"))
    themes, problems = read_own_themes()
    assert [theme.name for theme in themes] == ["fine"]
    assert len(problems) == 1
    assert message in problems[0].message
    assert str(folder / f"{name}.toml") in problems[0].message
    assert remedy in problems[0].remedy


def test_a_byte_that_is_not_utf_8_is_told_with_its_place(folder: Path) -> None:
    (folder / "a.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigProblem, match="not UTF-8 at byte 8"):
        read_theme("a")


def test_a_mark_of_the_byte_order_is_no_fault(folder: Path) -> None:
    (folder / "a.toml").write_text("\ufeff" + _pattern("a"), encoding="utf-8")
    assert read_theme("a").name == "a"


def test_a_pipe_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / "a.toml")
    (folder / "b.toml").mkdir()
    themes, problems = read_own_themes()
    assert themes == ()
    assert ["not a regular file" in problem.message or "directory" in problem.message for problem in problems] == [
        True,
        True,
    ]


def test_a_loop_of_links_is_told(folder: Path) -> None:
    (folder / "a.toml").symlink_to("a.toml")
    _, problems = read_own_themes()
    assert "symbolic links" in problems[0].message


def test_the_name_of_an_own_theme_is_suggested(folder: Path) -> None:
    (folder / "sunset.toml").write_text(_pattern("sunset"))
    with pytest.raises(ConfigProblem) as raised:
        read_theme("sunst")
    assert raised.value.remedy == "Did you mean 'sunset'?"


@pytest.mark.parametrize("name", ["../dark", "", "x/y", "a\nb"])
def test_a_name_leads_nowhere_else(folder: Path, name: str) -> None:
    (folder.parent / "dark.toml").write_text(_pattern("dark"))
    with pytest.raises(ConfigProblem, match="There is no theme"):
        read_theme(name)
