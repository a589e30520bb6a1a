"""The entry point: options, and what it says where there is no terminal."""

from pathlib import Path

import pytest

from emtui.__main__ import main
from emtui.cli.exit_codes import Exit
from emtui.profile import Profile, Remote

WRITTEN: list[str] = []


class _Terminal:
    """A stream that says whether it is a terminal."""

    def __init__(self, is_one: bool) -> None:
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one

    def write(self, text: str) -> int:
        WRITTEN.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Profile]:
    profiles: list[Profile] = []

    def run_console(profile: Profile, _settings: object) -> int:
        profiles.append(profile)
        return 0

    monkeypatch.setattr("emtui.console.running.run_console", run_console)
    return profiles


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run it as if in a terminal; patched here, since capturing gives each phase of a test its own streams."""
    with monkeypatch.context() as patch:
        for name in ("stdin", "stdout", "stderr"):
            patch.setattr(f"sys.{name}", _Terminal(True))
        return main(arguments)


def test_the_options_become_a_profile(opened: list[Profile], monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--local", "ws", "--read-only", "--engine", "simulated", "--base-images", "alpine, mine")
    assert _run(monkeypatch, *options) == 0
    (profile,) = opened
    assert str(profile.workspace) == "ws"
    assert profile.is_read_only
    assert profile.engine == "simulated"
    assert profile.base_images == ("alpine", "mine")


def test_without_options_it_is_the_workspace_in_the_data_directory(
    opened: list[Profile], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(monkeypatch) == 0
    assert _run(monkeypatch, "--demo") == 0
    assert [profile.workspace.name for profile in opened] == ["local", "demo"]
    assert opened[1].is_demo


def test_without_a_terminal_it_says_which_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(True))
    assert main([]) == Exit.USAGE
    assert capsys.readouterr().err.startswith("emtui: the console needs a terminal, and stdout is not one")


@pytest.mark.parametrize("arguments", [["--local", ""], ["--engine", "magic"], ["--nonsense"]])
def test_wrong_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == Exit.USAGE
    assert capsys.readouterr().err.startswith("emtui: ")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith("emtui ")


def test_addresses_become_remote_ends(opened: list[Profile], monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--em-url", "https://em.example.org", "--username", "client1", "--api", "2026-03", "--insecure")
    assert _run(monkeypatch, *options) == 0
    assert _run(monkeypatch, "--grid-url", "http://127.0.0.1:3000", "--local", "ws") == 0
    one, other = opened
    assert one.em == Remote("https://em.example.org", "client1", "2026-03", is_insecure=True)
    assert (one.em_kind, one.grid_kind) == ("remote", "absent")
    assert (other.em_kind, other.grid_kind, str(other.workspace)) == ("local", "remote", "ws")


def test_a_profile_is_opened_by_its_name(
    opened: list[Profile], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[profile.bench]\nem_url = "https://em.example.org"\n')
    assert _run(monkeypatch, "-p", "bench", "--config", str(file)) == 0
    (profile,) = opened
    assert profile.name == "bench"
    WRITTEN.clear()
    assert _run(monkeypatch, "-p", "bnch", "--config", str(file)) == Exit.CONFIG
    assert "".join(WRITTEN) == f"emtui: {file}: no profile is called bnch. Did you mean bench? There are: bench.\n"


def test_a_user_without_an_address_is_refused(opened: list[Profile], monkeypatch: pytest.MonkeyPatch) -> None:
    WRITTEN.clear()
    assert _run(monkeypatch, "--username", "client1") == Exit.CONFIG
    assert "--em-url" in "".join(WRITTEN)
    assert opened == []


def test_the_console_does_not_start_with_a_theme_or_a_key_that_cannot_be(
    opened: list[Profile], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[console]\ntheme = "gone"\n[keys]\nuplink = "R"\n')
    WRITTEN.clear()
    assert _run(monkeypatch, "--config", str(config)) == Exit.CONFIG
    assert not opened
    told = "".join(WRITTEN)
    assert told.startswith(f"emtui: {config}:2: console.theme: one of dark, contrast, light is expected, not “gone”")
    assert told.endswith("emtui config check tells 1 more.\n")
    config.write_text("")
    assert _run(monkeypatch, "--config", str(config)) == 0
    monkeypatch.setenv("EMTUI_THEME", "nope")
    WRITTEN.clear()
    assert _run(monkeypatch, "--config", str(config)) == Exit.CONFIG
    assert "EMTUI_THEME: one of dark" in "".join(WRITTEN)
