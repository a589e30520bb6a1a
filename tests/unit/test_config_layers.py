"""What is in force: options over the environment over the profile over [local] over what is built in."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from emtui.config.environment import given, unknown_ones, variables
from emtui.config.layers import Origin, Resolved, resolve
from emtui.config.model import keys_of
from emtui.doctor.checks import Check
from emtui.errors import ConfigProblem
from emtui.profile import PodPolicy, default_workspace
from emtui.settings import ConsoleSettings
from tests.unit.as_nobody import as_nobody

FILE = """
version = 1
default_profile = "em"

[console]
theme = "light"
poll_s = 10

[keys]
refresh = "f5"
pane.files = "f1"

[local]
directory = "/somewhere/usual"
engine = "simulated"
base_images = ["alpine"]
pod_cpus = 2

[command_line]
timeout_s = 30

[profile.em]
em_url = "https://em.example.org"
username = "client1"
timeout_s = 0

[profile.bench]
local = "/somewhere/bench"
pod_cpus = 4
"""


@pytest.fixture
def file(own_home: Path) -> Path:
    """The usual file."""
    path = own_home / ".config/emtui/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(FILE)
    return path


def opened(environment: dict[str, str] | None = None, **options: object) -> Resolved:
    return resolve(options, environment or {})


def what(resolved: Resolved) -> tuple[str, str | None, str | None]:
    """The profile's name, the EM's address and the folder of local mode."""
    profile = resolved.profile
    return profile.label, profile.em and profile.em.url, str(profile.workspace) if profile.has_local else None


EM = ("em", "https://em.example.org", None)
USUAL = ("", None, "/somewhere/usual")


@pytest.mark.parametrize(
    ("environment", "options", "expected"),
    [
        ({}, {}, EM),
        ({}, {"profile": "bench"}, ("bench", None, "/somewhere/bench")),
        ({"EMTUI_PROFILE": "bench"}, {}, ("bench", None, "/somewhere/bench")),
        ({"EMTUI_PROFILE": "bench"}, {"profile": "em"}, EM),
        # What an option names is all that is opened.
        ({"EMTUI_PROFILE": "em"}, {"local": Path("dir")}, ("", None, "dir")),
        ({"EMTUI_EM_URL": "https://x"}, {"local": Path("dir")}, ("", None, "dir")),
        ({"EMTUI_LOCAL": "there"}, {"em_url": "https://y"}, ("", "https://y", None)),
        ({"EMTUI_GRID_URL": "https://g"}, {"em_url": "https://y"}, ("", "https://y", None)),
        ({"EMTUI_EM_URL": "https://x", "EMTUI_LOCAL": "there"}, {"profile": "em"}, EM),
        ({"EMTUI_LOCAL": "there"}, {"profile": "em", "local": Path("dir")}, ("em", "https://em.example.org", "dir")),
        # Variables name it together, as options do.
        ({"EMTUI_PROFILE": "em", "EMTUI_LOCAL": "there"}, {}, ("em", "https://em.example.org", "there")),
        ({"EMTUI_PROFILE": "em", "EMTUI_EM_URL": "https://x"}, {}, ("em", "https://x", None)),
        # default_profile counts only where nothing else names anything.
        ({"EMTUI_LOCAL": "there"}, {}, ("", None, "there")),
        ({"EMTUI_GRID_URL": "https://g"}, {}, ("", None, None)),
        ({}, {"em_url": "https://y"}, ("", "https://y", None)),
        ({"EMTUI_PROFILE": ""}, {}, EM),
        ({"EMTUI_USERNAME": "x"}, {}, EM),
    ],
)
def test_what_is_opened(
    file: Path, environment: dict[str, str], options: dict[str, Any], expected: tuple[str, str | None, str | None]
) -> None:
    assert what(opened(environment, **options)) == expected


def test_the_demo_is_opened_alone(file: Path) -> None:
    demo = opened({"EMTUI_PROFILE": "em", "EMTUI_LOCAL": "there"}, demo=True)
    assert what(demo) == ("", None, str(default_workspace(demo=True)))
    assert demo.profile.is_demo
    assert demo.profile.engine == "simulated"


def test_without_a_default_profile_it_is_the_usual_directory(file: Path, own_home: Path) -> None:
    file.write_text(FILE.replace('default_profile = "em"', ""))
    assert what(opened()) == USUAL
    assert opened().sources["local"] == Origin("file", path=("local", "directory"))
    file.unlink()
    assert opened().profile.workspace == default_workspace()


def test_what_serves_local_mode_takes_no_default_profile_and_no_address(file: Path) -> None:
    environment = {"EMTUI_EM_URL": "https://x"}
    served = resolve({}, environment, openers=("profile", "local"), uses_default=False)
    assert what(served) == USUAL


def test_each_layer_goes_over_the_next_one(file: Path) -> None:
    assert opened(profile="bench").profile.pods.cpus == 4
    assert opened(local=Path("dir")).profile.pods == PodPolicy(cpus=2.0)
    assert opened({"EMTUI_POD_CPUS": "3"}, profile="bench").profile.pods.cpus == 3
    assert opened({"EMTUI_POD_CPUS": "3"}, profile="bench", pod_cpus=1.5).profile.pods.cpus == 1.5
    file.write_text(FILE.replace("pod_cpus = 2", ""))
    assert opened(local=Path("dir")).profile.pods == PodPolicy()


def test_the_environment_goes_over_the_profile_for_what_names_nothing(file: Path) -> None:
    profile = opened({"EMTUI_USERNAME": "other", "EMTUI_READ_ONLY": "yes", "EMTUI_INSECURE": "0"}, profile="em").profile
    assert profile.em is not None
    assert (profile.em.username, profile.is_read_only, profile.em.is_insecure) == ("other", True, False)
    assert opened({"EMTUI_USERNAME": "other"}, profile="em", username="third").profile.em.username == "third"  # type: ignore[union-attr] # it has an EM, or the test fails


OTHER = {"EMTUI_EM_URL": "https://x", "EMTUI_USERNAME": "bob", "EMTUI_API": "2026-03", "EMTUI_TOKEN": "t"}


@pytest.mark.parametrize(
    ("environment", "options", "user", "notice"),
    [
        (OTHER, {"profile": "em"}, "client1", "EMTUI_EM_URL, EMTUI_USERNAME, EMTUI_API, EMTUI_TOKEN are not"),
        (OTHER, {"em_url": "https://y"}, "", "EMTUI_EM_URL, EMTUI_USERNAME, EMTUI_API, EMTUI_TOKEN are not"),
        ({"EMTUI_PROFILE": "bench", "EMTUI_USERNAME": "bob"}, {"profile": "em"}, "client1",
         "EMTUI_PROFILE, EMTUI_USERNAME are not"),
        ({"EMTUI_LOCAL": "there", "EMTUI_USERNAME": "bob"}, {"profile": "em"}, "bob", "EMTUI_LOCAL is not"),
        # What an option names again is what is opened.
        ({"EMTUI_PROFILE": "em", "EMTUI_USERNAME": "bob"}, {"profile": "em"}, "bob", ""),
        ({**OTHER, "EMTUI_EM_URL": "https://y"}, {"em_url": "https://y"}, "bob", ""),
        # Without an address of its own it is a default for whatever is opened.
        ({"EMTUI_USERNAME": "bob"}, {"em_url": "https://y"}, "bob", ""),
        ({"EMTUI_USERNAME": "bob"}, {"profile": "em", "username": "eve"}, "eve", ""),
        (OTHER, {}, "bob", ""),
    ],
)  # fmt: skip
def test_what_belongs_to_the_address_of_a_variable_is_taken_to_no_other_and_that_is_told(
    file: Path, environment: dict[str, str], options: dict[str, Any], user: str, notice: str
) -> None:
    resolved = opened(environment, **options)
    em = resolved.profile.em
    assert em is not None
    assert (em.username, em.takes_secrets) == (user, not notice or "EMTUI_LOCAL" in notice)
    assert (em.api == "2026-03") == ("EMTUI_API" in environment and not notice)
    named_by = "--profile" if "profile" in options else "--em-url"
    assert resolved.profile.notices == ((f"{notice} obeyed: {named_by} names what to open",) if notice else ())


def test_a_local_workspace_that_an_option_names_is_not_asked_about_addresses(file: Path) -> None:
    resolved = opened(OTHER, local=Path("dir"))
    assert what(resolved) == ("", None, "dir")
    assert resolved.warnings == (
        "EMTUI_EM_URL, EMTUI_USERNAME, EMTUI_API, EMTUI_TOKEN are not obeyed: --local names what to open",
    )


def test_what_is_for_local_pods_says_nothing_to_a_remote_em(file: Path) -> None:
    profile = opened({"EMTUI_POD_MEMORY": "1G", "EMTUI_ENGINE": "docker"}, profile="em").profile
    assert (profile.pods, profile.engine, profile.base_images) == (PodPolicy(), None, ())
    assert opened({"EMTUI_USERNAME": "x"}, local=Path("dir")).profile.em is None


@pytest.mark.parametrize(
    ("environment", "options", "seconds"),
    [
        ({}, {"profile": "em"}, 0.0),
        ({}, {"profile": "bench"}, 30.0),
        ({"EMTUI_TIMEOUT": "5"}, {"profile": "em"}, 5.0),
        ({"EMTUI_TIMEOUT": "5"}, {"profile": "em", "timeout": 0.0}, 0.0),
        ({"EMTUI_TIMEOUT": "0"}, {}, 0.0),
    ],
)
def test_the_timeout(file: Path, environment: dict[str, str], options: dict[str, Any], seconds: float) -> None:
    assert opened(environment, **options).timeout_s == seconds


def test_how_the_console_looks_and_behaves(file: Path) -> None:
    keys = {"refresh": "f5", "pane.files": "f1"}
    assert opened().console == ConsoleSettings("light", keys, 10.0)
    told = opened({"EMTUI_THEME": "contrast", "EMTUI_ACTIVE_POD_POLL_S": "2.5"}).console
    assert told == ConsoleSettings("contrast", keys, 10.0, 2.5)
    file.unlink()
    nothing = opened()
    assert (nothing.console, nothing.timeout_s, nothing.warnings) == (ConsoleSettings(), None, ())


def test_each_value_says_where_it_comes_from(file: Path) -> None:
    resolved = opened({"EMTUI_READ_ONLY": "1"}, profile="bench", engine="docker")
    sources = resolved.sources
    assert sources["profile"] == Origin("option", "--profile")
    assert sources["engine"] == Origin("option", "--engine")
    assert sources["read_only"] == Origin("environment", "EMTUI_READ_ONLY")
    assert sources["local"] == Origin("file", path=("profile", "bench", "local"))
    assert sources["base_images"] == Origin("file", path=("local", "base_images"))
    assert sources["pod_memory"] == Origin("built-in")
    lines = FILE.splitlines()
    for key in ("local", "base_images", "console.theme", "keys.pane.files", "timeout_s"):
        line = resolved.loaded.line(sources[key].path)
        assert line is not None
        assert lines[line - 1].startswith(key.removeprefix("console.").removeprefix("keys."))


# ------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("environment", "options", "said"),
    [
        ({"EMTUI_TIMEOUT": "often"}, {}, "EMTUI_TIMEOUT: a number of seconds is expected, not “often”"),
        ({"EMTUI_READ_ONLY": "maybe"}, {}, "EMTUI_READ_ONLY: one of 1, true, yes, on"),
        ({"EMTUI_API": "2026-3"}, {}, "EMTUI_API: one of auto"),
        ({"EMTUI_POD_MEMORY": "1M"}, {}, "EMTUI_POD_MEMORY: at least 6M is needed"),
        ({"EMTUI_EM_URL": "https://me:secret@x"}, {}, "EMTUI_EM_URL: the address holds a user or a password"),
        ({"EMTUI_BASE_IMAGES": "alpine,b:1"}, {}, "EMTUI_BASE_IMAGES: the name of a base image without a tag"),
        ({"EMTUI_PROFILE": "bnch"}, {}, "no profile is called bnch"),
        ({}, {"em_url": ""}, "--em-url: it is empty"),
        ({}, {"profile": ""}, "--profile: it is empty"),
        ({}, {"em_url": "ftp://x"}, "--em-url: the address does not begin with https://"),
        ({}, {"local": Path("dir"), "username": "x"}, "--username is for a remote EM"),
        ({}, {"profile": "em", "pod_network": True}, "--pod-network is for pods of local mode"),
        ({"EMTUI_LOCAL": "~nobody-at-all/x"}, {}, "EMTUI_LOCAL: ~nobody-at-all/x: there is no such home"),
        ({"EMTUI_CONFIG": "/none/at/all.toml"}, {"local": Path("dir")}, "/none/at/all.toml: there is no such file"),
    ],
)
def test_what_is_wrong_names_the_option_or_the_variable(
    file: Path, environment: dict[str, str], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigProblem) as caught:
        opened(environment, **options)
    assert said in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.remedy


def test_a_variable_that_counts_for_nothing_needs_no_file(own_home: Path) -> None:
    assert what(opened({"EMTUI_PROFILE": "em"}, local=Path("dir"))) == ("", None, "dir")
    with pytest.raises(ConfigProblem, match="there is no such file"):
        opened({"EMTUI_PROFILE": "em"})


def test_a_usual_file_that_may_not_be_looked_for_is_left_out_and_told(own_home: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        closed = Path(name) / "closed"
        closed.mkdir(mode=0o000)
        Path(name).chmod(0o755)

        def told() -> list[Check]:
            os.environ["XDG_CONFIG_HOME"] = str(closed)
            (notice,) = opened(local=Path("dir")).profile.notices
            return [Check("configuration", "file", "note", notice)]

        (check,) = as_nobody(told)
    assert "Permission denied: it may not be looked for, and is left out" in check.found


def test_a_wrong_value_stops_every_start(file: Path) -> None:
    file.write_text("[profile.other]\nread_only = 7\n")
    with pytest.raises(ConfigProblem, match=r":2: profile\.other\.read_only: true or false"):
        opened(local=Path("dir"))


def test_the_warnings_are_in_the_notices_of_what_is_opened(file: Path) -> None:
    file.write_text(f"{FILE}\ncolor = 1\n")
    (notice,) = opened(profile="em").profile.notices
    assert "profile.bench.color: it is not known and not obeyed" in notice


# --------------------------------------------------------------------------------------------------- variables


def test_the_variables_are_those_of_the_model() -> None:
    named = variables()
    assert {
        "EMTUI_LOCAL",
        "EMTUI_EM_URL",
        "EMTUI_THEME",
        "EMTUI_TIMEOUT",
        "EMTUI_PROFILE",
        "EMTUI_POD_READ_ONLY",
    } <= set(named)
    assert {f"EMTUI_{key.upper()}" for key in keys_of("profile") if key != "timeout_s"} <= set(named)
    assert "EMTUI_VERSION" not in named


def test_an_empty_variable_is_not_given() -> None:
    assert given({"EMTUI_READ_ONLY": "", "EMTUI_THEME": "", "HOME": "x"}) == {}


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("No", False), ("off", False)])
def test_a_variable_that_is_true_or_false(text: str, value: bool) -> None:
    assert given({"EMTUI_INSECURE": text}) == {"insecure": (value, "EMTUI_INSECURE")}


def test_a_variable_that_is_not_known_is_told_but_neither_secrets_nor_those_of_tests() -> None:
    environment = {
        "EMTUI_USER": "x",
        "EMTUI_TOKEN": "x",
        "EMTUI_PASSWORD": "x",
        "EMTUI_TEST_X": "x",
        "EMTUI_CONFIG": "x",
    }
    (told,) = unknown_ones(environment)
    assert told == "EMTUI_USER: there is no such variable, and it is not obeyed. Did you mean EMTUI_USERNAME?"
