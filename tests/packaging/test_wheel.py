"""The wheel and the sdist are complete: installed with nothing else around, the console opens."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from emtui import __version__
from tests.e2e.terminal import Terminal
from tests.packaging import environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

ROOT = Path(__file__).parents[2]
SHIPPED = ("emtui", "widgets", "themes")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def python(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and what it declares to need."""
    return environment.make(tmp_path_factory.mktemp("empty") / "venv", built[1], _declared(built[1]))


@pytest.fixture(scope="module")
def serving_python(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the extra `serve`."""
    return environment.make(tmp_path_factory.mktemp("extra") / "venv", built[1], _declared(built[1]), ["serve"])


def _declared(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []


def _shipped_files() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_and_no_other(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    assert names == _shipped_files()
    assert any(name.startswith("themes/") and name.endswith(".toml") for name in names)


def test_the_sdist_can_be_worked_on(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert _shipped_files() <= names
    assert {"Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements/dev.lock"} <= names
    assert {"tests/conftest.py", "tools/make_venv.sh", "benchmarks/__main__.py"} <= names


def test_the_installed_program_is_the_wheel_s(python: Path, tmp_path: Path) -> None:
    program = "import emtui, widgets, themes; print(emtui.__file__); print(widgets.__file__); print(themes.__file__)"
    done = subprocess.run([python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert all(Path(line).is_relative_to(python.parents[1]) for line in done.stdout.splitlines())
    version = subprocess.run([python.with_name("emtui"), "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"emtui {__version__}\n"


def test_the_console_opens_there(python: Path, tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/telemetry.bin").write_bytes(b"\0" * 487)
    with Terminal([python.with_name("emtui"), "--local", tmp_path / "ws"], cwd=tmp_path) as terminal:
        terminal.wait_for(re.compile(r"telemetry\.bin +487 B"), 30)
        for title in ("Files", "Images", "Pod", "Grid", "Activity"):
            assert title in terminal.text()
        terminal.press("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


def _import_all(python: Path, folder: Path, *, but: str = "nothing") -> None:
    modules = sorted(
        name.removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
        for name in _shipped_files()
        if name.endswith(".py") and not name.endswith("__main__.py") and not name.startswith(but)
    )
    program = f"import importlib\nfor name in {modules!r}:\n    importlib.import_module(name)\n"
    done = subprocess.run([python, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_can_be_imported_there(python: Path, tmp_path: Path) -> None:
    _import_all(python, tmp_path, but="emtui/server")


def test_serving_without_its_extra_says_what_is_missing(python: Path, tmp_path: Path) -> None:
    command = [str(python.with_name("emtui")), "serve", "--local", str(tmp_path / "ws")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "emtui serve needs the extra: pip install 'emtui[serve]'\n"
    assert not (tmp_path / "ws").exists()


def test_with_the_extra_it_serves(serving_python: Path, tmp_path: Path) -> None:
    _import_all(serving_python, tmp_path)
    command = [str(serving_python.with_name("emtui")), "serve", "--local", str(tmp_path / "ws"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 0
    assert line.startswith("serving on http://127.0.0.1:")
