"""Whether a machine can run an image for another one is said before a pod starts."""

from pathlib import Path

import pytest

from emtui.local.engines.docker.pods.architecture import runs_here

# As qemu-user-static registers them.
AARCH64 = "7f454c460201010000000000000000000200b700"
ARM = "7f454c4601010100000000000000000002002800"
S390X = "7f454c4602020100000000000000000000020016"
RISCV64 = "7f454c460201010000000000000000000200f300"


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    """A folder as the kernel shows it, with no handler in it."""
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_bytes(b"")
    return tmp_path


def register(
    folder: Path, name: str, magic: str, *, flags: str = "OCF", state: str = "enabled", offset: int = 0
) -> None:
    mask = "ffffffffffffff00fffffffffffffffffeffffff"
    (folder / name).write_text(
        f"{state}\ninterpreter /usr/libexec/qemu-binfmt/{name}\nflags: {flags}\n"
        f"offset {offset}\nmagic {magic}\nmask {mask}\n"
    )


@pytest.mark.parametrize(
    ("image", "engine"),
    [
        ("amd64", "amd64"),
        ("x86_64", "amd64"),
        ("386", "amd64"),
        ("arm64", "aarch64"),
        ("arm64/v8", "arm64"),
        ("linux/arm64", "arm64"),
        ("arm/v7", "arm64"),
        ("", "amd64"),
        ("unknown", "amd64"),
        ("arm64", ""),
        ("wasm", "amd64"),
    ],
)
def test_what_the_machine_runs_itself_or_nobody_knows_is_let_through(image: str, engine: str, handlers: Path) -> None:
    assert runs_here(image, engine, True, handlers) == ""


def test_another_architecture_is_refused_with_the_remedy(handlers: Path) -> None:
    said = runs_here("arm64", "amd64", True, handlers)
    assert said.startswith("the image is for arm64, this engine's machine is amd64 and cannot run it: install qemu")
    assert "tonistiigi/binfmt --install arm64" in said
    assert said.endswith("or build for amd64")
    assert "the image is for arm/v7" in runs_here("arm/v7", "amd64", True, handlers)
    assert runs_here("amd64", "arm64", True, handlers)
    assert runs_here("arm64", "arm", True, handlers)


def test_an_engine_with_another_kernel_is_left_to_tell_it_itself(
    handlers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs_here("arm64", "amd64", False, handlers) == ""
    monkeypatch.setattr("sys.platform", "darwin")
    assert runs_here("amd64", "arm64", True, handlers) == ""


@pytest.mark.parametrize(
    ("image", "magic"), [("arm64", AARCH64), ("arm/v7", ARM), ("s390x", S390X), ("riscv64", RISCV64)]
)
def test_a_handler_lets_its_own_architecture_through(handlers: Path, image: str, magic: str) -> None:
    register(handlers, "python3.11", "2a2b")
    register(handlers, "qemu-any", magic)
    assert runs_here(image, "amd64", True, handlers) == ""
    for other in {"arm64", "arm/v7", "s390x", "riscv64", "ppc64le"} - {image}:
        assert runs_here(other, "amd64", True, handlers)


def test_a_handler_that_a_container_cannot_use_is_named(handlers: Path) -> None:
    register(handlers, "qemu-aarch64", AARCH64, flags="OC")
    assert "(its handler qemu-aarch64 lacks the flag F" in runs_here("arm64", "amd64", True, handlers)
    register(handlers, "qemu-aarch64-fixed", AARCH64, flags="F")
    assert runs_here("arm64", "amd64", True, handlers) == ""


def test_what_is_no_working_handler_counts_for_nothing(handlers: Path) -> None:
    register(handlers, "off", AARCH64, state="disabled")
    register(handlers, "short", AARCH64[:30])
    register(handlers, "elsewhere", AARCH64, offset=4)
    register(handlers, "no-hex", "7f454c46zz")
    (handlers / "empty").write_text("")
    (handlers / "extension").write_text("enabled\ninterpreter /usr/bin/java\nflags: F\nextension .jar\n")
    (handlers / "folder").mkdir()
    assert runs_here("arm64", "amd64", True, handlers)
    register(handlers, "good", AARCH64)
    assert runs_here("arm64", "amd64", True, handlers) == ""
    (handlers / "status").write_text("disabled\n")
    assert runs_here("arm64", "amd64", True, handlers)
    assert runs_here("arm64", "amd64", True, handlers / "not mounted")
