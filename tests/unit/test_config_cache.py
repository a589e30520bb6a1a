"""What a configuration says is kept until it changes, and taken for true only where it is ours alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emtui.config import read_config
from emtui.config.loading import Loaded

TEXT = """colour = 1
[local]
base_images = ["alpine"]
pod_memory = "1G"
[keys]
refresh = "f5"
[profile."a b"]
local = "x"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    write(path, TEXT)
    return path


def write(path: Path, text: str, seconds_ago: int = 60) -> None:
    path.write_text(text)
    then = path.stat().st_mtime_ns - seconds_ago * 1_000_000_000
    os.utime(path, ns=(then, then))


def kept_in(home: Path) -> Path:
    (path,) = (home / ".cache/emtui").glob("config-*.json")
    return path


def is_from_cache(loaded: Loaded) -> bool:
    return isinstance(loaded._lines, dict)


def test_the_second_time_it_comes_from_the_cache_and_says_the_same(file: Path, own_home: Path) -> None:
    first, second = read_config(file), read_config(file)
    assert (is_from_cache(first), is_from_cache(second)) == (False, True)
    assert second.tables == first.tables
    assert second.warnings == first.warnings
    paths = [("local", "base_images"), ("local", "pod_memory"), ("keys", "refresh"), ("profile", "a b", "local")]
    assert [second.line(path) for path in paths] == [first.line(path) for path in paths] == [3, 4, 6, 8]
    assert kept_in(own_home).stat().st_mode & 0o777 == 0o600
    assert list((own_home / ".cache/emtui").iterdir()) == [kept_in(own_home)]


def test_a_file_that_changes_is_read_anew(file: Path) -> None:
    read_config(file)
    write(file, TEXT.replace("alpine", "debian"))
    assert read_config(file).table("local")["base_images"] == ("debian",)
    # The same length and the same time: the inode or the time of the change tells.
    write(file, TEXT)
    assert read_config(file).table("local")["base_images"] == ("alpine",)


def test_a_file_that_has_just_been_written_is_not_kept(file: Path, own_home: Path) -> None:
    write(file, TEXT, seconds_ago=0)
    assert not is_from_cache(read_config(file))
    assert not is_from_cache(read_config(file))
    assert not (own_home / ".cache/emtui").exists()


def _readable(path: Path) -> None:
    path.chmod(0o644)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_values(path: Path) -> None:
    path.write_text(path.read_text().replace("1073741824", "true"))


def _other_key(path: Path) -> None:
    path.write_text(path.read_text().replace("pod_memory", "pod_memries"))


def _other_shape(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tables": [1]}))


def _deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def _older(path: Path) -> None:
    found = json.loads(path.read_text())
    found["about"]["emtui"] = "0.0.1"
    path.write_text(json.dumps(found))


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _second_name(path: Path) -> None:
    os.link(path, path.with_name("elsewhere"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _others(path: Path) -> None:
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    "spoil",
    [
        _readable, _torn, _empty, _other_values, _other_key, _other_shape, _deep, _older, _link, _second_name, _pipe,
        _folder, _others,
    ],
)  # fmt: skip
def test_what_is_off_is_not_trusted_and_costs_nothing_but_time(file: Path, own_home: Path, spoil: object) -> None:
    if spoil is _others and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    first = read_config(file)
    spoil(kept_in(own_home))  # type: ignore[operator] # a table of functions
    again = read_config(file)
    assert not is_from_cache(again)
    assert again.tables == first.tables
    assert is_from_cache(read_config(file)) is (spoil is not _folder)


def test_where_it_cannot_be_kept_it_is_read_each_time(file: Path, own_home: Path) -> None:
    (own_home / ".cache").write_text("in the way")
    assert read_config(file).tables == read_config(file).tables
    assert not is_from_cache(read_config(file))


def test_a_wrong_file_is_not_kept(file: Path, own_home: Path) -> None:
    write(file, "version = 99\n")
    for _ in range(2):
        with pytest.raises(Exception, match="version 99"):
            read_config(file)
    assert not (own_home / ".cache/emtui").exists()


# ----------------------------------------------------------------------------------------------------- the start

_PROGRAM = """
import sys
from argparse import ArgumentParser
from emtui.cli.profile_options import add_profile_options, resolved_from
parser = ArgumentParser()
add_profile_options(parser)
profile = resolved_from(parser.parse_args(sys.argv[1:])).profile
print(*(name.partition('.')[0] for name in sys.modules))
"""


def modules(*options: str, **environment: str) -> set[str]:
    command = [sys.executable, "-c", _PROGRAM, *options]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_without_a_file_nothing_is_imported_that_costs_time() -> None:
    costly = {"pydantic", "pydantic_core", "tomllib", "json", "textual", "difflib", "asyncio"}
    assert modules("--local", "x") & costly == set()
    assert modules("--local", "x", EMTUI_READ_ONLY="1", EMTUI_POD_MEMORY="1G", EMTUI_TIMEOUT="5") & costly == set()
    assert modules(EMTUI_EM_URL="https://em.example.org", EMTUI_USERNAME="a") & costly == set()


def test_with_a_file_that_is_known_neither(file: Path) -> None:
    assert {"pydantic", "tomllib"} <= modules("--config", str(file))
    assert modules("--config", str(file)) & {"pydantic", "pydantic_core", "tomllib", "textual"} == set()
