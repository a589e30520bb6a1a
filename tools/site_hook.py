"""What mkdocs.yml cannot say: the pages at the top of the repository are pages of the site too.

In docs/ they are linked as they lie (`../CONTRIBUTING.md`), which is right wherever the files themselves are read.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
TOP = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    # Not security.md: that is a page of its own.
    "SECURITY.md": "reporting.md",
}

_LINK = re.compile(r"\]\(([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Bring in the pages at the top, with their links as seen from docs/."""
    for name, page in TOP.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_LINK.sub(_from_top, text)))
    return files


def on_page_markdown(markdown: str, **_context: Any) -> str:
    """Lead what links to a page at the top to where it is in the site."""
    return _LINK.sub(_from_docs, markdown)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Write no sitemap (mkdocs writes no file that is empty) where it is not known where the site is published."""
    return output if template_name != "sitemap.xml" or config.site_url else ""


def _from_top(link: "re.Match[str]") -> str:
    target = link[1]
    return f"]({target.removeprefix('docs/') if target.startswith('docs/') else TOP.get(target, target)}"


def _from_docs(link: "re.Match[str]") -> str:
    return f"]({TOP.get(link[1].removeprefix('../'), link[1])}"
