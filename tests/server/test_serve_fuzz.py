"""The document against the server: schemathesis with every check, by a seed that stays.

`FUZZ_EXAMPLES=500` makes it thorough, and its seed another one each time.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.serving import served

# A path that is not there is a 400 in the specification, however well it is written.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409"]
"""
FEW = 12


@pytest.mark.parametrize("options", [(), ("--grid-auth",)], ids=["open grid", "grid with tokens"])
def test_every_answer_is_as_the_document_says(tmp_path: Path, options: tuple[str, ...]) -> None:
    examples = int(os.environ.get("FUZZ_EXAMPLES", FEW))
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    seed = ["--generation-deterministic"] if examples <= FEW else []
    with served(tmp_path / "dir", "--access-minutes", "600", *options) as server:
        headers = server.headers()
        # What the document's examples speak of is there.
        folder = server.volume / "echo-test"
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM alpine\nCOPY echo-test.sh /\n")
        (folder / "echo-test.sh").write_text("#!/bin/sh\necho hello\n")
        for model in ({"model_id": "mnist-cnn", "allow_download": True}, {"model_id": "kept"}):
            requests.post(
                f"{server.url}/serve_model", json={"model": "x", **model}, headers=headers, timeout=10
            ).raise_for_status()
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
                *("run", f"{server.url}/schema/", "--checks", "all", "--max-examples", str(examples), *seed),
                *("-H", f"Authorization: {headers['Authorization']}", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
        assert "Operations:       23 selected / 23 total" in run.stdout
        assert " failed" not in server.errors, "nothing came that nobody expected"
        assert requests.get(f"{server.url}/em/pod/status", headers=headers, timeout=10).status_code == 200
