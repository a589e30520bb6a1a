"""Profiles out of a file: what is right, what is wrong and where, and what was meant."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emtui.config import config_path, read_config
from emtui.config.layers import resolve
from emtui.errors import ConfigProblem
from emtui.profile import Profile, Remote

GOOD = """
[profile.em]
em_url = "https://em.example.org"
grid_url = "https://grid.example.org"
username = "client1"
api = "2026-03"
pvc_name = "client1-pvc"

[profile."bench at home"]
local = "~/bench"
engine = "simulated"
grid_url = "http://127.0.0.1:3000"
read_only = true
"""


def configured_profile(name: str | None, path: Path | None, given: dict[str, object]) -> Profile:
    return resolve({"profile": name, "config": path, **given}).profile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(GOOD)
    return path


def refused(path: Path, text: str, name: str | None = "em") -> ConfigProblem:
    path.write_text(text)
    with pytest.raises(ConfigProblem) as caught:
        configured_profile(name, path, {})
    assert caught.value.remedy
    return caught.value


def test_a_profile_with_two_remote_ends(file: Path) -> None:
    profile = configured_profile("em", file, {})
    assert profile.em == Remote("https://em.example.org", "client1", "2026-03", pvc_name="client1-pvc")
    assert profile.grid is not None
    assert profile.grid.url == "https://grid.example.org"
    assert (profile.em_kind, profile.grid_kind, profile.name) == ("remote", "remote", "em")
    assert profile.workspace.parent.name == "remote"
    assert profile.workspace.name.startswith("em-")


def test_an_end_that_is_not_named_is_local_or_absent(file: Path) -> None:
    bench = configured_profile("bench at home", file, {})
    assert (bench.em_kind, bench.grid_kind) == ("local", "remote")
    assert bench.workspace == Path.home() / "bench"
    assert bench.is_read_only
    assert bench.engine == "simulated"
    alone = configured_profile(None, None, {"em_url": "https://em.example.org"})
    assert (alone.em_kind, alone.grid_kind, alone.name) == ("remote", "absent", "https://em.example.org")


def test_options_go_over_the_file(file: Path) -> None:
    profile = configured_profile("em", file, {"em_url": "https://other.example.org", "read_only": True})
    assert profile.em is not None
    assert profile.em.url == "https://other.example.org"
    assert profile.em.username == "client1"
    assert profile.is_read_only


def test_two_users_of_one_address_have_a_journal_each(file: Path) -> None:
    folders = {
        configured_profile(None, None, {"em_url": "https://em.example.org", "username": name}).workspace
        for name in ("alice", "bob", "../../etc", "ä")
    }
    assert len(folders) == 4
    assert len({folder.parent for folder in folders}) == 1


def test_the_file_is_named_by_the_environment_or_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path().name == "config.toml"
    monkeypatch.setenv("EMTUI_CONFIG", "/some/where.toml")
    assert config_path() == Path("/some/where.toml")


def test_a_missing_file_and_a_missing_profile(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="no such file"):
        configured_profile("em", tmp_path / "none.toml", {})
    with pytest.raises(ConfigProblem, match="no profile is called ben at home") as caught:
        configured_profile("ben at home", file, {})
    assert caught.value.remedy == "Did you mean bench at home? There are: em, bench at home."


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[profile.em]\nem_url = "https://x"\napi = "2025-12"\n', ":3: profile.em.api", "Did you mean 2025-11?"),
        ("[profile.em]\n\nem_url = 7\n", ":3: profile.em.em_url", "a text in quotes is expected, not 7"),
        ('[profile.em]\nem_url = "https://x"\ninsecure = "perhaps"\n', ":3: profile.em.insecure", "boolean"),
        ("[profile.em]\nem_url = \n", ":2: profile.em.em_url", "not TOML"),
        ("profile = 7\n", ":1: profile", "a table is expected, not 7"),
        ("[profile]\nem = 7\n", ":2: profile.em", "a table is expected, not 7"),
        ("[profile.em]\nusername = 'a'\n", ":1", "names neither em_url, grid_url nor local"),
        ("\x00", ":1", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_was_meant(file: Path, text: str, where: str, what: str) -> None:
    problem = refused(file, text)
    assert where in problem.message
    assert what in f"{problem.message} {problem.remedy}"


def test_what_is_no_text_or_too_large_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigProblem, match="not TOML"):
        read_config(file)
    file.write_bytes(b"#" * (256 << 10) + b"\n")
    with pytest.raises(ConfigProblem, match="over 256 KiB"):
        read_config(file)


def test_unknown_keys_are_told_and_not_obeyed(file: Path) -> None:
    file.write_text('colour = 1\n[profile.em]\nem_url = "https://x"\nuser_name = "a"\n')
    profile = configured_profile("em", file, {})
    assert profile.em is not None
    assert profile.em.username == ""
    assert len(profile.notices) == 2
    assert f"{file}:1: colour: it is not known" in profile.notices[0]
    assert f"{file}:4: profile.em.user_name: it is not known" in profile.notices[1]
    assert "Did you mean username?" in profile.notices[1]


def test_an_option_that_is_wrong_is_named() -> None:
    with pytest.raises(ConfigProblem, match="--em-url"):
        configured_profile(None, None, {"em_url": "https://" + "x" * 5000})


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "config.toml"
    make(path)
    with pytest.raises(ConfigProblem, match="not a regular file") as told:
        read_config(path)
    assert told.value.remedy
