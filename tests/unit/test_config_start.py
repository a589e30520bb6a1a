"""What the configuration costs a start."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_file_is_judged_without_a_library_that_costs_more(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'colour = 1\n[local]\nbase_images = ["alpine"]\n[keys]\nrefresh = "f5"\n[profile.em]\nlocal = "x"\n'
    )
    assert modules("--config", str(file)) & {"pydantic", "pydantic_core", "textual", "asyncio"} == set()
