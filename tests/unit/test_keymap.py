"""The table of keys, what is wrong with a key map, and how keys are read and shown."""

import string
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.keys import Keys, _character_to_key

from emtui.commands import REGISTRY
from emtui.errors import ConfigProblem
from emtui.keys.keymap import KEYS, PANES, Group, KeyMap, check_keys, reference_rows, seldom_sent
from emtui.keys.names import (
    SPECIAL,
    NotAKey,
    canonical,
    character_of,
    is_seldom_sent,
    name_of,
    shown,
    shown_briefly,
)


def test_the_usual_keys_clash_nowhere() -> None:
    for one, other in combinations(KEYS.values(), 2):
        if one.places & other.places:
            assert not set(one.keys) & set(other.keys), f"{one.id} and {other.id}"


def test_every_usual_key_is_one_that_the_configuration_may_name() -> None:
    for key in KEYS.values():
        assert tuple(canonical(name) for name in key.keys) == key.keys
        if not key.is_fixed:
            assert check_keys({key.id: ",".join(key.keys)}) == []


@pytest.mark.parametrize("other", ["dialog.submit", "palette"])
def test_a_key_of_a_dialogs_files_is_none_that_works_all_over_the_dialog(other: str) -> None:
    taken = KEYS[other].keys[0]
    assert [problem.message.split(" (")[0] for problem in check_keys({"picker.hidden": taken})] == [
        f"{taken} is the key of {other} too"
    ]
    assert check_keys({"picker.hidden": "u", "picker.up": "left", "list.up": "w"}) == [], "the panes are not there"


def test_every_command_has_its_key_from_the_registry() -> None:
    assert [key.id for key in KEYS.values() if key.group is Group.COMMANDS] == list(REGISTRY)
    assert all(KEYS[name].keys == (command.key,) for name, command in REGISTRY.items())


def test_no_usual_key_of_what_cannot_be_undone_has_ctrl() -> None:
    critical = [key for key in KEYS.values() if key.is_critical]
    assert [key.id for key in critical] == ["delete"]
    assert not any("ctrl" in name for key in critical for name in key.keys)


@pytest.mark.parametrize(
    ("keys", "about", "message", "remedy"),
    [
        ({"uplnk": "z"}, "uplnk", "nothing in the console is called so", "Did you mean 'uplink'?"),
        ({"zzz": "z"}, "zzz", "nothing in the console is called so", "emtui keys"),
        ({"copy": "entr"}, "copy", "'entr' is not a key", "Did you mean 'enter'?"),
        ({"copy": "wibble"}, "copy", "'wibble' is not a key", "Write a sign"),
        ({"copy": "^p"}, "copy", "'^p' is not a key", "Did you mean 'ctrl+p'?"),
        ({"copy": "control+f"}, "copy", "'control' is not held down", "Did you mean 'ctrl'?"),
        ({"copy": "hypr+f"}, "copy", "'hypr' is not held down", "Did you mean 'hyper'?"),
        ({"copy": "zzzz+f"}, "copy", "'zzzz' is not held down", "It is one of"),
        ({"copy": "a,,b"}, "copy", "an empty name is no key", "space"),
        ({"copy": " "}, "copy", "an empty name is no key", "space"),
        ({"copy": "shift+c"}, "copy", "a terminal sends the sign itself", "Write 'C'."),
        ({"copy": "shift+?"}, "copy", "a terminal sends another sign", "Write that sign"),
        ({"copy": "ctrl+i"}, "copy", "cannot tell it from tab", "another"),
        ({"copy": "ctrl+["}, "copy", "cannot tell it from escape", "another"),
        ({"copy": "\x1b"}, "copy", "is not a key", "Write a sign"),
        ({"delete": "ctrl+x"}, "delete", "not done with ctrl", "without ctrl"),
        ({"delete": "x,alt+ctrl+x"}, "delete", "alt+ctrl+x: what cannot be undone", "without ctrl"),
        ({"leave": "f1"}, "leave", "it stays ctrl+q", "Leave it out"),
        ({"leave": ""}, "leave", "it stays ctrl+q", "Leave it out"),
        ({"dialog.next": "f1"}, "dialog.next", "it stays tab and enter", "Leave it out"),
        ({"quit": ""}, "quit", "cannot be without a key", "Name one"),
        ({"help": ""}, "help", "cannot be without a key", "Name one"),
        ({"palette": "P"}, "palette", "this key types", "ctrl, or f1"),
        ({"dialog.submit": "enter"}, "dialog.submit", "this key types", "ctrl, or f1"),
        ({"dialog.submit": "ctrl+p"}, "dialog.submit", "ctrl+p is the key of palette too", "give palette another"),
        ({"uplink": "d"}, "uplink", "d is the key of downlink too (Downlink)", "give downlink another"),
        ({"uplink": "?"}, "uplink", "? is the key of help too (Help)", "give help another"),
        ({"uplink": "j"}, "uplink", "j is the key of list.down too (Down)", "give list.down another"),
        ({"copy": "h"}, "copy", "h is the key of files.collapse too", "give files.collapse another"),
        ({"copy": "ctrl+c"}, "copy", "ctrl+c is the key of copy_text too", "Choose another key."),
        ({"quit": "escape"}, "quit", "esc is the key of pane.clear_filter too", "Choose another key."),
    ],
)
def test_what_is_wrong_with_a_key_is_told(keys: dict[str, str], about: str, message: str, remedy: str) -> None:
    problem = check_keys(keys)[0]
    assert problem.id == about
    assert message in problem.message
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"uplink": "d", "downlink": "u"},
        {"uplink": "d", "downlink": ""},
        {"delete": ""},
        {"help": "f1", "uplink": "?"},
        {"copy": "c, ctrl+y"},
        {"dialog.submit": "f12"},
        {"pane.filter": "A"},  # Activity has no filter
        {"files.expand": "A"},
        {"list.up": "up", "copy": "k"},
        {"list.up": "up,up"},
    ],
)
def test_what_can_be_had_is_left_alone(keys: dict[str, str]) -> None:
    assert check_keys(keys) == []
    KeyMap(keys)


@pytest.mark.parametrize(
    "key", ["ctrl+shift+u", "ctrl+1", "super+u", "ctrl+comma", "ctrl+enter", "alt+1", "shift+enter", "meta+up"]
)
def test_a_key_that_most_terminals_do_not_send_can_be_had_and_is_told(key: str) -> None:
    assert check_keys({"uplink": key}) == []
    (problem,) = seldom_sent({"uplink": f"U,{key}"})
    assert (problem.id, problem.message) == ("uplink", f"most terminals do not send {shown(key)}")


@pytest.mark.parametrize(
    "sent",
    ["\x15", "\x1c", "\x1d", "\x1e", "\x1f", "\x1bu", "\x1b[Z", "\x1b[1;7A", "\x1b[15;2~", "\x1b[3;3~", "\x1b[1;5P"],
)
def test_a_key_that_a_plain_terminal_sends_is_not_told_to_be_seldom(sent: str) -> None:
    parser = XTermParser()
    events = [*parser.feed(sent), *parser.feed("")]
    (key,) = (event.key for event in events if isinstance(event, Key))
    assert not is_seldom_sent(canonical(key))


def test_no_usual_key_is_seldom_sent() -> None:
    assert not list(seldom_sent({key.id: ",".join(key.keys) for key in KEYS.values()}))


@pytest.mark.parametrize("written", [",", "u,", "u,,d"])
def test_a_comma_is_written_as_its_name(written: str) -> None:
    (problem,) = check_keys({"uplink": written})
    assert problem.remedy.endswith("comma for the comma.")
    assert KeyMap({"uplink": "comma"}).shown("uplink") == ","


def test_two_that_are_changed_and_clash_are_told_once() -> None:
    problems = check_keys({"uplink": "z", "downlink": "z"})
    assert [(problem.id, problem.message.split(" (")[0]) for problem in problems] == [
        ("uplink", "z is the key of downlink too")
    ]


def test_every_problem_is_told_at_once() -> None:
    wrong = {"uplnk": "z", "copy": "entr", "delete": "ctrl+d", "run": "b"}
    assert {problem.id for problem in check_keys(wrong)} == set(wrong)


def test_a_key_map_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigProblem, match=r"keys\.uplink: d is the key of downlink too"):
        KeyMap({"uplink": "d"})


def test_an_id_of_another_release_changes_nothing() -> None:
    assert KeyMap({"teleport": "t"}).for_textual() == {}


def test_a_changed_key_is_shown_as_it_is_pressed() -> None:
    keys = KeyMap({"uplink": "ctrl+u", "help": "f1", "copy": "", "pane.filter": "f, /"})
    assert (keys.shown("uplink"), keys.briefly("uplink")) == ("ctrl+u", "^u")
    assert keys.all_shown("pane.filter") == "f, /"
    assert keys.hint("help", "shows the keys") == "f1 shows the keys"
    assert (keys.shown("copy"), keys.hint("copy", "copies"), keys.keys("copy")) == ("", "", ())
    assert keys.is_changed("copy")
    assert not keys.is_changed("run")


def test_textual_gets_what_is_changed_only() -> None:
    keys = KeyMap({"uplink": "U", "help": "?", "copy": ""})
    assert keys.for_textual() == {"uplink": "U", "copy": "<none:copy>"}


@pytest.mark.parametrize(
    ("names", "shown_as"),
    [
        (("1", "2", "3", "4", "5"), "1-5"),
        (("f6", "f7", "f8", "f9", "f10"), "f6-f10"),
        (("alt+1", "alt+2", "alt+3", "alt+4", "alt+5"), "alt+1-alt+5"),
        (("6", "7", "8", "9", "0"), "6,7,8,9,0"),
        (("alt+1", "2", "3", "4", "5"), "alt+1,2,3,4,5"),
        (("", "", "f1", "", ""), "f1"),
        (("", "", "", "", ""), ""),
    ],
)
def test_the_keys_of_the_panes_are_shown_in_few_signs(names: tuple[str, ...], shown_as: str) -> None:
    keys = KeyMap({f"pane.{pane}": name for pane, name in zip(PANES, names, strict=True)})
    assert keys.panes() == shown_as


@pytest.mark.parametrize("character", [*string.ascii_letters, *string.digits, *string.punctuation, "é", "ß", "§", "漢"])
def test_a_sign_is_called_as_textual_calls_it(character: str) -> None:
    name = _character_to_key(character)
    assert name_of(character) == name
    assert canonical(character) == canonical(name) == name
    assert character_of(name) == shown(name) == character


def test_the_names_of_keys_are_textuals() -> None:
    names = {key.value for key in Keys}
    assert set(SPECIAL) <= names
    for name in names:
        if not name.startswith("<") and name not in {"return", "ctrl-at", "ctrl+@", "ctrl+h", "ctrl+i", "ctrl+m"}:
            assert canonical(name) == name


@pytest.mark.parametrize(
    ("written", "key", "read_as"),
    [
        ("esc", "escape", "esc"),
        ("Return", "enter", "enter"),
        ("PgDn", "pagedown", "pagedown"),
        ("CTRL+K", "ctrl+k", "ctrl+k"),
        ("shift+ctrl+left", "ctrl+shift+left", "ctrl+shift+left"),
        ("ctrl+/", "ctrl+slash", "ctrl+/"),
        ("ctrl++", "ctrl+plus", "ctrl++"),
        ("+", "plus", "+"),
        ("shift+f5", "shift+f5", "shift+f5"),
        ("question_mark", "question_mark", "?"),
        ("comma", "comma", ","),
    ],
)
def test_keys_are_read_as_people_write_them(written: str, key: str, read_as: str) -> None:
    assert canonical(written) == key
    assert shown(key) == read_as


def test_where_room_is_scarce_ctrl_is_a_sign() -> None:
    assert shown_briefly("ctrl+p") == "^p"
    assert shown_briefly("ctrl+left") == "ctrl+left"
    assert shown_briefly("question_mark") == "?"


@given(st.dictionaries(st.sampled_from([*KEYS, "zz"]), st.text(max_size=12), max_size=4))
def test_whatever_is_written_is_judged(keys: dict[str, str]) -> None:
    problems = check_keys(keys)
    assert all(problem.id in keys and problem.message and problem.remedy for problem in problems)
    if not problems:
        assert set(KeyMap(keys).for_textual()) <= set(keys)


# Far beyond, a few names in Unicode cannot be led back from what Textual makes of them.
@given(st.text(st.characters(max_codepoint=0x24F), max_size=20))
def test_what_is_a_key_is_one_however_often_it_is_read(written: str) -> None:
    try:
        key = canonical(written)
    except NotAKey:
        return
    assert canonical(key) == key
    assert shown(key).isprintable()


def test_the_reference_has_every_key_by_group() -> None:
    rows = reference_rows()
    assert {row.id for row in rows} == set(KEYS)
    groups = [row.group for row in rows]
    assert list(dict.fromkeys(groups)) == [group.value for group in Group]
    assert groups == sorted(groups, key=[group.value for group in Group].index)
    assert all(row.keys and row.meaning for row in rows)
    assert next(row for row in reference_rows(KeyMap({"copy": "c"})) if row.id == "copy").keys == "c"
