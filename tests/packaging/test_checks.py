"""The checks find what they are for, and the locks hold what they promise."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "dev")

BODY = """
    total = 0
    for item in items:
        if item > limit:
            total += item
        else:
            total -= 1
        print(total, item)
    answer = total * 2
    return answer
"""
OTHER_NAMES = BODY.replace("total", "sum_").replace("item", "thing").replace("limit", "most").replace("answer", "x")


def _check(tool: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / f"{tool}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{name}.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_a_module_that_is_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("a = 1\n" * 401)
    (tmp_path / "short.py").write_text("a = 1\n" * 400)
    done = _check("check_modules", tmp_path)
    assert done.returncode == 1
    assert "long.py: 401 lines" in done.stdout
    assert "short.py" not in done.stdout


def test_the_same_code_twice_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(f"import os\n\n\ndef one(items, limit):{BODY}")
    (tmp_path / "two.py").write_text(f'"""Two."""\n\n\ndef two(items, limit):\n    # a comment{BODY}')
    done = _check("check_duplicates", tmp_path)
    assert done.returncode == 1
    assert re.search(r"one\.py:5-13 and \S+two\.py:6-14: the same 9 lines", done.stdout)


def test_the_same_shape_twice_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(f"def one(items, limit):{BODY * 2}")
    (tmp_path / "two.py").write_text(f"def two(things, most):{OTHER_NAMES * 2}")
    done = _check("check_duplicates", tmp_path)
    assert done.returncode == 1
    assert "one.py:1-20 and" in done.stdout
    assert "the same shape of 19 lines" in done.stdout


def test_different_code_is_no_duplicate(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(f"def one(items, limit):{BODY}")
    (tmp_path / "two.py").write_text("def two(items):\n    return sorted(items)\n" * 3)
    (tmp_path / "three.py").write_text('"""Words.\n\nMore words.\n"""\n' + "import os\nimport sys\n" * 10)
    assert _check("check_duplicates", tmp_path).stdout == ""


@pytest.mark.parametrize(
    "line",
    [
        "--index" + "-url https://example.org/sim" + "ple",
        "see https://py" + "pi.org/x",
        "file" + ":///opt/wheels",
        "path = '/ho" + "me/jane/emtui'",
        "# TO" + "DO: later",
    ],
)
def test_words_of_one_machine_are_found(tmp_path: Path, line: str) -> None:
    faults = runpy.run_path(str(ROOT / "tools/check_words.py"))["faults"]
    assert len(list(faults("file.py", f"fine\n{line}\n", tmp_path))) == 1
    assert list(faults("file.py", "https://example.org/docs /home /data/x PATH=/usr/bin", tmp_path)) == []
    assert len(list(faults("file.py", f"cd {tmp_path.resolve()}/x", tmp_path))) == 1


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=sha256:", "    hash "), re.MULTILINE)
    releases = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert all("==" in block and "--hash=sha256:" in block for block in releases)


def test_the_locks_hold_what_is_declared() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    groups = project["dependency-groups"]
    declared = {
        "run": [*project["project"]["dependencies"], *groups["build"]],
        "dev": [
            *project["project"]["dependencies"],
            *groups["build"],
            *(x for x in groups["dev"] if isinstance(x, str)),
        ],
    }
    for name, requirements in declared.items():
        locked = _locked(name)
        for requirement in map(Requirement, requirements):
            version = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{name}.lock: {requirement}, found {version}"
    assert _locked("run").items() <= _locked("dev").items()
