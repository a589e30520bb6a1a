"""The site: every link leads somewhere, nothing comes from another host, and what is generated is up to date."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages
from tests.docs.building import build


class _Loads(HTMLParser):
    """What a browser loads by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.found += [given[name] for name in ("src", "srcset", "data") if name in given]
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev", "edit"):
            self.found.append(given.get("href", ""))


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    built = sorted(site.rglob("*.html"))
    assert {path.stem for path in built} >= {path.stem for path in (ROOT / "docs").glob("*.md")}
    for page in built:
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert loads.found
        assert [url for url in loads.found if re.match(r"(?:[a-z]+:)?//", url)] == [], page.name
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import\s*)[\"']?(?:https?:)?//[^)\"']*", sheet.read_text(encoding="utf-8")) == []


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_the_pages_at_the_top_are_in_the_site_and_linked(site: Path) -> None:
    for page, linked in (
        ("security", "reporting"),
        ("index", "contributing"),
        ("index", "changelog"),
        ("contributing", "architecture"),
        ("reporting", "security"),
    ):
        _, _, article = (site / f"{page}.html").read_text(encoding="utf-8").partition("<article")
        assert f'href="{linked}.html"' in article, page


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_a_sitemap_is_written_only_where_the_address_of_the_site_is_known(site: Path, tmp_path: Path) -> None:
    assert not (site / "sitemap.xml").exists()
    done = build(ROOT, tmp_path / "site", SITE_URL="https://docs.example.org/")
    assert done.returncode == 0, done.stdout + done.stderr
    written = (tmp_path / "site/sitemap.xml").read_text(encoding="utf-8")
    assert "<loc>https://docs.example.org/quickstart.html</loc>" in written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "text", "told"),
    [
        ("index.md", "[gone](gone.md)", "gone.md"),
        ("index.md", "[gone](python.md#no-such-heading)", "no-such-heading"),
        ("index.md", "[gone](#no-such-heading)", "no-such-heading"),
        ("index.md", "![gone](gone.svg)", "gone.svg"),
        ("index.md", "[gone](../README.md)", "README.md"),
        ("not-in-the-nav.md", "# A page", "not-in-the-nav.md"),
    ],
)
def test_a_link_that_leads_nowhere_fails_thebuild(tmp_path: Path, page: str, text: str, told: str) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("mkdocs.yml", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path)
    with (tmp_path / "docs" / page).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{text}\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert told in done.stderr


def _anchors(text: str) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ +(.*?) *$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [path for path in pages() if path.parent == ROOT], ids=lambda path: path.name)
def test_the_links_of_a_page_at_the_top_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), target


# ------------------------------------------------------------------------------------------- what is generated


def _make_docs(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools/make_docs.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {
            "COLUMNS": "40",
            "PYTHONHASHSEED": "7",
            "EMTUI_THEME": "light",
            "NO_COLOR": "1",
            "LANG": "C",
            "TZ": "Asia/Tokyo",
        },
    ],
    ids=["here", "elsewhere"],
)
def test_what_is_generated_is_up_to_date(environment: dict[str, str], tmp_path: Path) -> None:
    done = _make_docs(ROOT, "--check", **environment, **({"HOME": str(tmp_path)} if environment else {}))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_what_is_out_of_date_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    for folder in ("docs", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    page = tmp_path / "docs/command-line.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("`--em-url URL`", "`--em-ulr URL`"), encoding="utf-8")
    done = _make_docs(tmp_path, "--check")
    assert done.returncode == 1
    assert done.stdout == "out of date: docs/command-line.md\nmake generated writes them anew\n"
    assert "--em-ulr" in page.read_text(encoding="utf-8")
    assert _make_docs(tmp_path).returncode == 0
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!-- generated: no such part -->\n<!-- end of generated -->\n", "there is no part 'no such part'"),
        ("<!-- generated: exit codes -->\n", "has no `<!-- end of generated -->`"),
    ],
)
def test_a_marker_that_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text(text)
    done = _make_docs(tmp_path)
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("say --yes, or -o -", "say `--yes`, or `-o -`"),
        ("as of `pod status --json`", "as of `pod status --json`"),
        ("<b> & *a* _b_ log_tail", "&lt;b&gt; &amp; &#42;a&#42; &#95;b&#95; log_tail"),
        ("[x](y) | # ~", "&#91;x&#93;(y) &#124; &#35; &#126;"),
        ("a ` alone", "a ` alone"),
    ],
)
def test_prose_is_text_whatever_it_holds(text: str, markdown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from docs_markdown import prose

    assert prose(text) == markdown


def test_a_description_keeps_its_lists_and_what_is_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from docs_markdown import block, code, description

    text = "One line\nand the next.\n  - first,\n    on two lines\n  - second\n\nCodes:\n\n   0  done\n  20  failed"
    assert description(text) == (
        "One line and the next.\n\n- first, on two lines\n- second\n\nCodes:\n\n```text\n   0  done\n  20  failed\n```"
    )
    assert block("text", "```") == "````text\n```\n````"
    assert (code("a"), code("a|`b")) == ("`a`", "<code>a&#124;&#96;b</code>")
