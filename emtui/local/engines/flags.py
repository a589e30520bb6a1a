"""The flags of an instruction: `--name=value`, read so strictly that no builder can read them in another way.

Builders differ in what a quote or a backslash in a flag means, and one that is read otherwise than it was checked may
bring in an image that nobody allowed. So a flag with a backslash, a blank or anything but printable ASCII is refused.
Quotes only fall away: what they would protect is not there.
"""

import re

from emtui.local.engines.problems import BuildProblem

BLANK = " \t\n\v\f\r"
"""The white space that ends a flag for every builder."""

_WORD = re.compile(rf"""--(?:[^{BLANK}'"]|'[^']*'|"[^"]*")*""")
_QUOTED = re.compile(r"""'([^'"]*)'|"([^'"]*)\"""")
_PLAIN = re.compile(r"[!-~]*")
_MAX_SHOWN = 40
_NEVER = frozenset("\\`'\"")


def take_flag(text: str, at: str) -> tuple[str, str, str]:
    """The name, the value without its quotes, and what follows; `text` begins with `--`.

    `at` is what stands in front of a problem's message.

    Raises:
        BuildProblem: a builder might read it in another way.
    """
    matched = _WORD.match(text)
    word = matched[0] if matched is not None else ""
    rest = text[len(word) :]
    shown = re.sub(r"[^!-~]", "?", text.partition("=")[0])[:_MAX_SHOWN]
    if rest and rest[0] not in BLANK:
        raise BuildProblem(f"{at}a quote in the value of {shown} does not end")
    plain = _QUOTED.sub(lambda found: found[1] or found[2] or "", word)
    if not _PLAIN.fullmatch(plain) or _NEVER & set(plain):
        raise BuildProblem(
            f"{at}the value of {shown} holds a blank, a backslash, a quote inside of quotes, or what is no ASCII; "
            "builders differ in how they read that, so it is not taken here"
        )
    name, _, value = plain.removeprefix("--").partition("=")
    return name, value, rest.lstrip(BLANK)
