"""Words of a Dockerfile: variables, quotes and escapes, as a builder reads them.

`$X`, `${X}`, `${X:-word}`, `${X-word}`, `${X:+word}`, `${X+word}`, `${X:?word}`, `${X?word}`. Nothing is substituted
between single quotes or behind the escape character. A name that is not set is empty.
"""

from collections.abc import Mapping

from emtui.local.engines.problems import BuildProblem

# Words nest (`${a:-${b:-c}}`); no Dockerfile needs more, and a hostile one must not reach Python's own limit.
_MAX_NESTING = 20


def expand(text: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """`text` as one word: variables substituted, quotes and escapes taken away.

    Raises:
        BuildProblem: a `${` that is not closed, an unknown modifier, or a `:?` that is not satisfied.
    """
    return _Reader(text, values, escape).word(end="", nesting=0)


def split_words(text: str, escape: str = "\\") -> list[str]:
    """`text` at its blanks, where they are not quoted or escaped. Quotes stay, for `expand` to read."""
    words: list[str] = []
    current = ""
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == escape and quote != "'" and position + 1 < len(text):
            current += text[position : position + 2]
            position += 2
            continue
        position += 1
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            if current:
                words.append(current)
            current = ""
            continue
        current += character
    if current:
        words.append(current)
    return words


class _Reader:
    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._values = values
        self._escape = escape
        self._at = 0

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def word(self, end: str, nesting: int) -> str:
        """Up to `end` (taken too), or to the end of the text where `end` is empty."""
        if nesting > _MAX_NESTING:
            raise BuildProblem("failed to process a word: variables nested too deep")
        made: list[str] = []
        while character := self._peek():
            if end and character == end:
                self._take()
                return "".join(made)
            made.append(self._piece(nesting))
        if end:
            raise BuildProblem(f'failed to process "{self._text}": syntax error: missing "{end}"')
        return "".join(made)

    def _piece(self, nesting: int) -> str:
        character = self._take()
        if character == "'":
            return self._single_quoted()
        if character == '"':
            return self._double_quoted(nesting)
        if character == self._escape:
            return self._take()
        return self._variable(nesting) if character == "$" else character

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise BuildProblem(f'failed to process "{self._text}": unexpected end of statement while looking for a \'')
        quoted = self._text[self._at : end]
        self._at = end + 1
        return quoted

    def _double_quoted(self, nesting: int) -> str:
        made: list[str] = []
        while character := self._take():
            if character == '"':
                return "".join(made)
            if character == self._escape and self._peek() in ('"', "$", self._escape):
                made.append(self._take())
            elif character == "$":
                made.append(self._variable(nesting))
            else:
                made.append(character)
        raise BuildProblem(f'failed to process "{self._text}": unexpected end of statement while looking for a "')

    def _name(self) -> str:
        start = self._at
        while (character := self._peek()) and character.isascii() and (character.isalnum() or character == "_"):
            self._at += 1
            if self._at == start + 1 and character.isdigit():
                break
        return self._text[start : self._at]

    def _variable(self, nesting: int) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._values.get(name, "") if name else "$"
        self._take()
        name = self._name()
        modifier = self._take()
        if modifier == "}" and name:
            return self._values.get(name, "")
        is_set = name in self._values
        if modifier == ":":
            modifier = self._take()
            is_set = bool(self._values.get(name))
        if not name or modifier not in ("-", "+", "?") or not modifier:
            raise BuildProblem(f'failed to process "{self._text}": unsupported modifier in substitution')
        word = self.word("}", nesting + 1)
        if modifier == "+":
            return word if is_set else ""
        if is_set:
            return self._values[name]
        if modifier == "?":
            raise BuildProblem(f'failed to process "{self._text}": {name}: {word or "not set"}')
        return word
