"""The registry of commands: what footer, help, palette and journal read."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.commands import (
    REGISTRY,
    BuildImage,
    Command,
    Delete,
    Downlink,
    GetModel,
    LoadImage,
    RunPod,
    ServeModel,
    Significance,
    Uplink,
    restore,
)
from emtui.models import PodSpec

AT = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
SPEC = PodSpec(docker_image="echo", max_duration=30, node="FPGA", scheduled_time=AT, command="ls | wc > /data/n")
EXAMPLES = [
    (Uplink((Path("/home/a.txt"),), "echo-test"), "uplink a.txt → /echo-test"),
    (Uplink((Path("/a"), Path("/b"), Path("/c"))), "uplink 3 files → /"),
    (Uplink((Path("/"),)), "uplink / → /"),
    (Downlink(("a/b.txt",), Path("/tmp")), "downlink a/b.txt → /tmp"),
    (Downlink(("a", "b"), Path("out"), overwrite=True), "downlink 2 files → out"),
    (Delete(("a",)), "delete a"),
    (Delete(("a", "b")), "delete 2 entries"),
    (BuildImage("e/Dockerfile", "e/", "echo"), "build echo of /e"),
    (LoadImage("e.tar", "echo:v1"), "load echo:v1 from /e.tar"),
    (RunPod(SPEC), "run echo on FPGA for 30 min at 2026-11-21T14:30:00Z"),
    (RunPod(PodSpec(docker_image="e", max_duration=0.5, node="GPU")), "run e on GPU for 0.5 min"),
    (ServeModel(Path("/m.bin"), "org/m", allow_download=True), "serve model org/m from m.bin"),
    (GetModel("org/m", Path("/tmp/m")), "get model org/m → /tmp/m"),
]


@pytest.mark.parametrize(("command", "line"), EXAMPLES, ids=lambda value: str(value)[:40])
def test_a_command_says_what_it_does_and_survives_the_journal(command: Command, line: str) -> None:
    assert command.describe() == line
    assert restore(command.name, command.to_json()) == command
    assert command.to_json().isascii()
    assert hash(command) == hash(restore(command.name, command.to_json()))


def test_every_command_is_in_the_registry_and_has_an_example() -> None:
    assert list(REGISTRY) == ["uplink", "downlink", "delete", "build", "load", "run", "serve_model", "get_model"]
    assert {type(command) for command, _ in EXAMPLES} == set(REGISTRY.values())
    # By name: a slotted dataclass is made twice, and the first one may still be about.
    assert {kind.__name__ for kind in Command.__subclasses__()} == {kind.__name__ for kind in REGISTRY.values()}


def test_the_footers_keys_are_as_designed() -> None:
    keys = {name: command.key for name, command in REGISTRY.items()}
    assert keys == {
        "uplink": "u",
        "downlink": "d",
        "delete": "x",
        "build": "b",
        "load": "l",
        "run": "r",
        "serve_model": "m",
        "get_model": "g",
    }
    assert not [key for key in keys.values() if "ctrl" in key]


def test_what_changes_the_other_side_is_known() -> None:
    reading = {name for name, command in REGISTRY.items() if not command.changes_remote}
    assert reading == {"downlink", "get_model"}
    assert {name for name, command in REGISTRY.items() if command.endpoint == "grid"} == {"serve_model", "get_model"}
    assert Delete.significance is Significance.CRITICAL
    for command in REGISTRY.values():
        assert command.title
        assert command.help
        assert not command.help.endswith(".")


def test_commands_are_frozen() -> None:
    command = Delete(("a",))
    with pytest.raises(FrozenInstanceError):
        command.paths = ("b",)  # type: ignore[misc]  # that it is refused is the test


def test_a_bare_command_describes_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Command().describe()


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("teleport", "{}", KeyError),
        ("delete", "not json", ValueError),
        ("delete", "[]", TypeError),
        ("delete", "7", TypeError),
        ("delete", "{}", TypeError),
        ("delete", '{"path": "a"}', TypeError),
        ("uplink", '{"sources": 7}', TypeError),
        ("downlink", '{"paths": ["a"], "target": 7}', TypeError),
        ("run", '{"spec": {"docker_image": "e"}}', ValueError),
        ("run", '{"spec": 7}', TypeError),
    ],
)
def test_what_cannot_be_restored(name: str, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        restore(name, text)


def test_what_is_alike_is_taken_for_what_is_meant() -> None:
    assert Uplink(["a", Path("b")]) == Uplink((Path("a"), Path("b")))  # type: ignore[arg-type] # a notebook has no type checker
    assert Downlink(["a"], "out") == Downlink(("a",), Path("out"))  # type: ignore[arg-type] # the same
    assert ServeModel("m.pt", "m1") == ServeModel(Path("m.pt"), "m1")  # type: ignore[arg-type] # the same
    assert hash(Delete(["a", "b"])) == hash(Delete(("a", "b")))  # type: ignore[arg-type] # the same


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: Delete("ab"), r"^Delete.paths: several can be given, not str; one alone is \['ab'\]$"),
        (lambda: Downlink("t1.py", Path("out")), "^Downlink.paths: several can be given, not str"),
        (lambda: Uplink("t1.py"), "^Uplink.sources: several can be given, not str"),
        (lambda: Uplink(Path("t1.py")), "^Uplink.sources: several can be given, not PosixPath"),
        (lambda: Uplink(b"t1.py"), "^Uplink.sources: several can be given, not bytes"),
        (lambda: Delete(None), "^Delete.paths: a list or tuple is needed, not None$"),
        (lambda: Delete((Path("a"),)), "^Delete.paths: str is needed, not PosixPath$"),
        (lambda: Uplink((3,)), "^Uplink.sources: Path or str is needed, not int$"),
        (lambda: ServeModel(Path("m"), 7), "^ServeModel.model_id: str is needed, not int$"),
        (lambda: ServeModel(Path("m"), "m", "no"), "^ServeModel.allow_download: bool is needed, not str$"),
        (lambda: GetModel("m", 7), "^GetModel.target: Path or str is needed, not int$"),
        (lambda: RunPod("x"), "^RunPod.spec: PodSpec is needed, not str$"),
    ],
)
def test_a_field_of_another_kind_is_refused_with_its_name(make: Callable[[], Command], wrong: str) -> None:
    with pytest.raises(TypeError, match=wrong):
        make()


@pytest.mark.parametrize("make", [lambda: Uplink([""]), lambda: GetModel("m", ""), lambda: Downlink(["a"], "")])
def test_an_empty_path_is_not_taken_for_the_folder_here(make: Callable[[], Command]) -> None:
    with pytest.raises(ValueError, match="it is empty"):
        make()


# Names as the file system gives them: any text, and bytes that are not UTF-8. A path has no NUL.
name_text = st.text(
    st.characters(min_codepoint=1) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=30
)
paths = name_text.map(Path)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
specs = st.builds(
    PodSpec,
    docker_image=name_text,
    max_duration=st.floats(allow_nan=False, allow_infinity=False),
    node=name_text,
    scheduled_time=st.none() | st.datetimes(timezones=zones),
    command=name_text,
)
several = st.lists(name_text, max_size=3).map(tuple)
commands = st.one_of(
    st.builds(Uplink, sources=st.lists(paths, max_size=3).map(tuple), dest_path=name_text),
    st.builds(Downlink, paths=several, target=paths, overwrite=st.booleans()),
    st.builds(Delete, paths=several),
    st.builds(BuildImage, dockerfile=name_text, context=name_text, image_name=name_text),
    st.builds(LoadImage, tarfile=name_text, image=name_text),
    st.builds(RunPod, spec=specs),
    st.builds(ServeModel, source=paths, model_id=name_text, allow_download=st.booleans(), encoding=name_text),
    st.builds(GetModel, model_id=name_text, target=paths, overwrite=st.booleans()),
)


@given(commands)
def test_any_command_survives_the_journal(command: Command) -> None:
    again = restore(command.name, command.to_json())
    assert again == command
    assert type(again) is type(command)
    assert [type(getattr(again, item.name)) for item in fields(again)] == [
        type(getattr(command, item.name)) for item in fields(command)
    ]
    assert isinstance(command.describe(), str)
