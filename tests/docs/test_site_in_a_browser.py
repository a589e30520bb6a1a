"""The site as somebody has it who opens it as files, without a server."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.missing import missing

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1250,900", "--virtual-time-budget=15000")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

# What the theme's copy button takes of each block of a console.
_COPIED = """[...document.querySelectorAll(".language-console code")].map((code) => {
    code.setAttribute("data-md-copying", "");
    return code.innerText;
})"""

# The commands that are wider than their block, or go under the copy button.
_CUT = """[...document.querySelectorAll(".language-sh code, .language-console code")].filter((code) =>
    code.scrollWidth > code.clientWidth || parseFloat(getComputedStyle(code).paddingRight) < 30
).map((code) => code.innerText)"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    if not BROWSER:
        missing("no chromium is installed")


def _shown(url: str) -> str:
    """What a page has become, some seconds after a browser has loaded it."""
    command = [BROWSER, *OPTIONS, "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _value(page: Path, expression: str) -> Any:
    """What an expression of JavaScript is worth on a page of the site."""
    probe = page.with_name("probe.html")
    script = f"""<script>addEventListener("load", () => {{
        const found = document.createElement("pre");
        found.id = "found";
        found.innerText = JSON.stringify({expression});
        document.body.append(found);
    }})</script></body>"""
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    try:
        found = re.search(r'<pre id="found">(.*?)</pre>', _shown(probe.as_uri()))
    finally:
        probe.unlink()
    assert found
    return json.loads(unescape(found[1]))


def test_the_search_finds_a_page(site: Path) -> None:
    shown = _shown(f"{(site / 'index.html').as_uri()}?q=KillMode")
    assert re.search(r'href="[^"]*serving\.html[^"]*" class="md-search-result__link"', shown)


def test_the_copy_button_takes_the_commands_of_a_console_and_nothing_else(site: Path) -> None:
    (bundle,) = site.glob("assets/javascripts/bundle.*.js")
    assert "data-md-copying" in bundle.read_text(encoding="utf-8")
    first, *_ = _value(site / "quickstart.html", _COPIED)
    lines = [line for line in first.splitlines() if line]
    assert lines[0] == "emtui --local rehearsal-2 files uplink thermal"
    assert len(lines) > 5
    assert all(line.startswith(("emtui ", "diff ")) for line in lines), lines


def test_no_command_is_cut_on_a_screen_of_a_usual_width(site: Path) -> None:
    assert _value(site / "serving.html", _CUT) == []
