"""`emtui config`: where it is, what is in force, everything that is wrong with it, its schema, and older versions."""

import os
import re
import stat
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from emtui.cli.exit_codes import Exit
from emtui.config.layers import resolve
from emtui.config.model import TABLES, settings_of
from emtui.config.reference import markdown, rows
from emtui.errors import ConfigProblem
from tests.cli.harness import Cli

WRONG = """version = 1
colour = 1
theme = "dark"

[console]
theme = "drak"
[keys]
uplnk = "x"
uplink = "R"
[ profile . "em" ]
em_url = "https://em.example.org"
api = "2026-3"
base_images = [
  "alpine",  # a comment with ] in it
  7,
]
insecure = "yes"
[profile.b]
"local" = "x"
'pod_memory' = "5M"
usrname = "a"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "xdg-config/emtui/config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_the_path_is_all_that_is_on_stdout(bare: Cli, file: Path) -> None:
    done = bare.ok("config", "path")
    assert done.text == f"{file}\n"
    assert "there is no such file" in done.stderr
    file.write_text("")
    assert bare.ok("config", "path").stderr == ""
    assert bare.ok("--config", "/other.toml", "config", "path", "--json").json == {
        "path": "/other.toml",
        "exists": False,
    }


# ------------------------------------------------------------------------------------------------------- check


def test_everything_that_is_wrong_is_told_at_once_a_line_each(bare: Cli, file: Path) -> None:
    file.write_text(WRONG)
    done = bare("config", "check")
    assert done.code == Exit.CONFIG
    told = [line.removeprefix(f"{file}:") for line in done.lines]
    beginnings = [
        "2: warning: colour: it is not known and not obeyed.",
        "3: warning: theme: it is not known and not obeyed. Did you mean console.theme?",
        "6: error: console.theme: one of dark, contrast, light is expected, not “drak”. Did you mean dark?",
        "8: warning: keys.uplnk: ",
        "9: error: keys.uplink: R is the key of refresh too",
        "12: error: profile.em.api: one of auto, 2025-11, 2026-03 is expected, not “2026-3”. Did you mean 2026-03?",
        "15: error: profile.em.base_images[1]: a text in quotes is expected, not 7.",
        "17: error: profile.em.insecure: true or false (a boolean, without quotes) is expected, not “yes”. Did",
        "19: warning: profile.b.local: “x” is looked for in the folder that emtui is started in.",
        "20: error: profile.b.pod_memory: at least 6M is needed, not '5M'.",
        "21: warning: profile.b.usrname: it is not known and not obeyed. Did you mean username?",
    ]
    assert len(told) == len(beginnings)
    for line, beginning in zip(told, beginnings, strict=True):
        assert line.startswith(beginning), line
    assert "6 errors, 5 warnings" in done.stderr


def test_problems_as_a_document(bare: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[profile.em]\nem_url = 7\nread_onyl = true\n")
    done = bare("config", "check", other, "--json")
    assert done.code == Exit.CONFIG
    found = done.json
    assert (found["file"], found["version"], found["errors"], found["warnings"]) == (str(other), 0, 1, 1)
    error, warning = found["problems"]
    assert (error["level"], error["line"], error["key"]) == ("error", 2, "profile.em.em_url")
    assert (warning["level"], warning["line"], warning["key"]) == ("warning", 3, "profile.em.read_onyl")
    assert "Did you mean read_only?" in warning["remedy"]


def test_warnings_alone_are_no_failure(bare: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("version = 1\ncolour = 1\n")
    monkeypatch.setenv("EMTUI_REDONLY", "1")
    done = bare.ok("config", "check")
    assert len(done.lines) == 2
    assert "Did you mean EMTUI_READ_ONLY?" in done.lines[1]
    monkeypatch.setenv("EMTUI_POLL_S", "soon")
    done = bare("config", "check")
    assert done.code == Exit.CONFIG
    assert "EMTUI_POLL_S: a number of seconds is expected" in done.text


def test_nothing_wrong_is_nothing_on_stdout(bare: Cli, file: Path) -> None:
    assert bare.ok("config", "check").text == ""
    file.write_text('version = 1\n[profile.em]\nem_url = "https://em.example.org"\n')
    done = bare.ok("config", "check")
    assert done.text == ""
    assert "nothing is wrong" in done.stderr


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a = 1\na = 2\n", ":2: error: a: not TOML: it is there twice, first in line 1."),
        (b"[a]\n[b]\n[a]\n", ":3: error: a: not TOML: it is there twice, first in line 1."),
        (b"x.y = 1\n[x]\n", ":2: error: x: not TOML: it is there twice, first in line 1."),
        (b"x = 1\n\ny = = 2\n", ":3: error: y: not TOML: Invalid value"),
        (b'x = 1\ny = "z\n', ":2: error: y: not TOML: "),
        (b"x = [1,\n 2\n\n", ":"),
        (b"x = '''1\n\n\n", ":1: error: x: not TOML: "),
        (b"x = 1\n\x00", ":2: error: not TOML: "),
        (b"x = 1\ny = '\xff'", ":2: error: not TOML: no UTF-8 text (byte 0xff)"),
        (b"\xff\xfex\x00", ":1: error: not TOML: no UTF-8 text (byte 0xff)"),
        (b"x = " + b"[" * 10_000, ":1: error: x: keys, arrays or tables are nested too deeply"),
        (b".".join([b"x"] * 100_000) + b"= 1", ":1: error: keys, arrays or tables are nested too deeply"),
        (b"version = 2\n", ":1: error: version: this file is of version 2, and this emtui knows versions up to 1."),
        (b"#\nversion = '1'\n", ":2: error: version: a whole number is expected, not “1”."),
        (b"version = -1\n", ":1: error: version: a whole number is expected, not -1. Write version = 1."),
        (
            b'[local]\nbase_images = [" "]\n',
            ":2: error: local.base_images[0]: the name of a base image without a tag is expected, not “ ”. Mend it",
        ),
        (
            b'[local]\nbase_images = ["b:1"]\n',
            ":2: error: local.base_images[0]: the name of a base image without a"
            " tag is expected, not “b:1”. Did you mean b?",
        ),
        (b"default_profile = 'b'\n[profile.a]\nlocal = 'x'", ":1: error: default_profile: no profile is called “b”."),
        (b"profile = 1\n", ":1: error: profile: a table is expected, not 1."),
        (b"[[profile.em]]\nlocal = 'x'\n", ":1: error: profile.em: a table is expected, not an array."),
        (b"[console]\npoll_s = nan\n", ":2: error: console.poll_s: 1 to 3600 seconds are expected"),
        (b"[keys]\nuplink = 7\n", ":2: error: keys.uplink: a text in quotes is expected, not 7."),
        (b"[keys]\nuplink = 'nokey'\n", ":2: error: keys.uplink: "),
        (b"[local]\ndirectory = 'a\\u0000'\n", ""),
        (b'[local]\ndirectory = "a\\u0000"\n', ":2: error: local.directory: a text without control characters"),
    ],
)
def test_what_is_broken_is_told_with_its_line_and_key(bare: Cli, file: Path, data: bytes, told: str) -> None:
    file.write_bytes(data)
    done = bare("config", "check")
    assert done.code == (Exit.CONFIG if told else Exit.OK)
    assert all(line.isprintable() for line in done.lines)
    if told:
        assert done.lines[0].startswith(f"{file}{told}"), done.lines[0]


def test_a_file_with_a_mark_of_its_encoding_and_dos_ends_of_lines_is_read(bare: Cli, file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbfversion = 1\r\n[console]\r\ntheme = "light"\r\n[profile.a]\r\nlocal = "/x"\r\n')
    assert bare.ok("config", "check").text == ""
    assert ["console.theme", "light", f"{file}:3"] in bare.ok("config", "show").rows


@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "large", "missing", "other encoding of a name"])
def test_what_is_no_file_to_read_is_told_at_once(bare: Cli, tmp_path: Path, what: str) -> None:
    path = tmp_path / "c.toml"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    elif what == "large":
        path.write_bytes(b"#" * (2 << 20))
    elif what == "other encoding of a name":
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.toml"))
    for verb in (["check"], ["show"], ["migrate"]):
        done = bare("--config", path, "config", *verb)
        assert done.code == Exit.CONFIG, done
        assert done.text == ""
        (line,) = done.stderr.splitlines()
        assert line.isprintable()


def test_what_is_right_and_will_surprise_is_a_warning_of_the_check_alone(
    bare: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        'version = 1\n[keys]\nuplink = "ctrl+shift+u"\n[local]\ndirectory = "$HOME/x"\n'
        '[profile.a]\nlocal = "rel"\n[profile.b]\nem_url = "https://em.example.org"\nca_file = "/nope"\n'
        '[profile.c]\nlocal = "~/right"\n'
    )
    told = [line.removeprefix(f"{file}:") for line in bare.ok("config", "check").lines]
    assert told == [
        "3: warning: keys.uplink: most terminals do not send ctrl+shift+u. Choose another key, or try it in each "
        "terminal that you use.",
        "5: warning: local.directory: “$HOME/x” is taken as it is: no variable is put in. Write the whole path; ~ is "
        "your home.",
        "7: warning: profile.a.local: “rel” is looked for in the folder that emtui is started in. Write the whole "
        "path; ~ is your home.",
        "10: warning: profile.b.ca_file: /nope: there is no such file. Name a readable file of certificates, PEM.",
    ]
    assert bare.ok("config", "show", "-p", "a").stderr == ""


def test_more_than_is_told_is_said_to_be_there(bare: Cli, file: Path) -> None:
    file.write_text("version = 1\n" + "".join(f"unknown{number} = 1\n" for number in range(300)))
    done = bare.ok("config", "check")
    assert len(done.lines) == 100
    assert "0 errors, 100 warnings; there are more of them" in done.stderr
    assert bare.ok("config", "check", "--json").json["is_cut"] is True
    file.write_text("version = 1\n[profile.a]\nlocal = '/x'\n" + "".join(f"u{number} = 1\n" for number in range(100)))
    done = bare.ok("config", "check", "--json")
    assert (done.json["warnings"], done.json["is_cut"]) == (100, False)


def test_more_errors_than_are_told_are_said_to_be_there(bare: Cli, file: Path) -> None:
    file.write_text("version = 1\n" + "".join(f"[profile.p{number}]\nlocal = 1\n" for number in range(101)))
    found = bare("config", "check", "--json").json
    assert (found["errors"], found["is_cut"]) == (100, True)


@pytest.mark.parametrize(("key", "way"), [("password", "EMTUI_PASSWORD or your keyring"), ("token", "EMTUI_TOKEN")])
def test_a_secret_in_the_file_is_told_its_place_and_not_shown(bare: Cli, file: Path, key: str, way: str) -> None:
    file.write_text(f'version = 1\n[profile.a]\nlocal = "/x"\n{key} = "hunter2"\n')
    done = bare.ok("config", "check")
    assert f":4: warning: profile.a.{key}: it is not known and not obeyed. Take it out: " in done.text
    assert way in done.text
    assert "hunter2" not in done.text + done.stderr


# ------------------------------------------------------------------------------ what only the console takes


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ('[console]\ntheme = "gone"\n', {}, ":2: console.theme: one of dark, contrast, light is expected"),
        ("[console]\npoll_s = 0\n", {}, ":2: console.poll_s: 1 to 3600 seconds are expected"),
        ('[keys]\nuplink = "R"\n', {}, ":2: keys.uplink: R is the key of refresh too"),
        ("", {"EMTUI_THEME": "nope"}, "EMTUI_THEME: one of dark, contrast, light is expected"),
        ("", {"EMTUI_POLL_S": "often"}, "EMTUI_POLL_S: a number of seconds is expected, not “often”"),
    ],
)
def test_what_only_the_console_takes_stops_the_console_alone(
    emtui: Cli, file: Path, monkeypatch: pytest.MonkeyPatch, text: str, environment: dict[str, str], said: str
) -> None:
    file.write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert emtui.ok("files", "list").stderr == ""
    assert said in emtui.ok("config", "show").stderr
    assert said.replace(":2: ", ":2: error: ") in emtui("config", "check").text
    resolved = resolve({"local": Path("dir")})
    with pytest.raises(ConfigProblem, match=re.escape(said)):
        resolved.check_console()


def test_another_value_of_the_wrong_kind_stops_every_start(emtui: Cli, file: Path) -> None:
    file.write_text('[profile.console]\nread_only = 7\n[console]\ntheme = "gone"\n')
    done = emtui("files", "list")
    assert done.code == Exit.CONFIG
    assert ":2: profile.console.read_only: " in done.stderr


def test_the_first_of_several_errors_says_what_tells_the_others(emtui: Cli, file: Path) -> None:
    file.write_text('[console]\ntheme = "gone"\n[keys]\nuplink = "R"\nrun = "nokey"\n')
    with pytest.raises(ConfigProblem, match=r":2: console\.theme: ") as caught:
        resolve({"local": Path("dir")}).check_console()
    assert caught.value.remedy.endswith("emtui config check tells 2 more.")
    file.write_text("[profile.a]\nread_only = 7\ninsecure = 7\n")
    assert emtui("files", "list").stderr.endswith("emtui config check tells 1 more.\n")


# -------------------------------------------------------------------------------------------------------- show


def test_each_value_is_shown_with_where_it_comes_from(bare: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(
        'version = 1\n[profile.em]\nem_url = "https://em.example.org"\n[console]\npoll_s = 10\n[keys]\nrefresh = "f5"\n'
    )
    monkeypatch.setenv("EMTUI_USERNAME", "client1")
    monkeypatch.setenv("EMTUI_TOKEN", "a-secret-token")
    done = bare.ok("config", "show", "-p", "em", "--timeout", "5")
    rows_by_key = {row[0]: row[1:] for row in done.rows}
    assert rows_by_key["profile"] == ["em", "--profile"]
    assert rows_by_key["em_url"] == ["https://em.example.org", f"{file}:3"]
    assert rows_by_key["username"] == ["client1", "EMTUI_USERNAME"]
    assert rows_by_key["api"] == ["auto", "built-in"]
    assert rows_by_key["console.poll_s"] == ["10", f"{file}:5"]
    assert rows_by_key["keys.refresh"] == ["f5", f"{file}:7"]
    assert rows_by_key["timeout_s"] == ["5", "--timeout"]
    assert rows_by_key["EMTUI_TOKEN"] == ["set, not shown", "EMTUI_TOKEN"]
    assert "engine" not in rows_by_key  # no pod is run here
    assert "a-secret-token" not in done.text + done.stderr


def test_what_is_in_force_as_a_document(bare: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('version = 1\ncolour = 1\n[local]\nbase_images = ["alpine"]\n')
    monkeypatch.setenv("EMTUI_PASSWORD", "a-secret")
    done = bare.ok("config", "show", "--local", "dir", "--json")
    found = done.json
    settings = {one["key"]: (one["value"], one["source"]) for one in found["settings"]}
    assert settings["local"] == ("dir", {"kind": "option", "name": "--local"})
    assert settings["base_images"] == (["alpine"], {"kind": "file", "name": str(file), "line": 4})
    assert settings["read_only"] == (False, {"kind": "built-in"})
    assert settings["em_url"] == settings["engine"] == settings["pod_memory"] == (None, {"kind": "built-in"})
    assert {"name": "EMTUI_PASSWORD", "is_set": True} in found["secrets"]
    assert [":2: colour: it is not known" in warning for warning in found["warnings"]] == [True]
    assert b"a-secret" not in done.stdout


def test_what_would_be_refused_when_it_is_opened_is_told_before(bare: Cli, file: Path) -> None:
    address = 'em_url = "http://em.example"'
    file.write_text(f"version = 1\n[profile.a]\n{address}\n[profile.b]\n{address}\ninsecure = true\n")
    [line] = bare.ok("config", "check").text.splitlines()
    assert line.startswith(f"{file}:3: warning: profile.a.em_url: http://em.example: plain http to another machine")
    assert line.endswith("give insecure = true.")


def test_themes_that_are_left_out_are_told(bare: Cli, file: Path) -> None:
    (file.parent / "themes").mkdir(parents=True, exist_ok=True)
    (file.parent / "themes/broken.toml").write_text('name = "broken"\n')
    assert "broken.toml: " in bare.ok("config", "check").text


# --------------------------------------------------------------------------------------- schema, documentation


def test_the_schema_is_one_and_takes_what_is_right_and_refuses_what_is_wrong(bare: Cli) -> None:
    schema = bare.ok("config", "schema").json
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    jsonschema_rs.meta.validate(schema)
    judge = jsonschema_rs.validator_for(schema)
    right = (
        'version = 1\n[console]\ntheme = "dark"\n[profile.em]\nem_url = "https://x"\npod_memory = "2G"\nunknown = 1\n'
    )
    assert judge.is_valid(tomllib.loads(right))
    for text in (
        "version = 2",
        "[console]\npoll_s = 0",
        "[profile.em]\napi = 'x'",
        "profile = 1",
        "[keys]\nuplink = 1",
    ):
        assert not judge.is_valid(tomllib.loads(text)), text


def test_every_example_of_the_documentation_is_right(bare: Cli, file: Path) -> None:
    text = "".join(f"{row.example}\n" for row in rows() if not row.table)
    for table in TABLES:
        if table:
            header = "profile.em" if table == "profile" else table
            text += f"[{header}]\n" + "".join(f"{one.key} = {one.about.example}\n" for one in settings_of(table))
    file.write_text(text)
    certificates = Path("~/certs/em.pem").expanduser()
    certificates.parent.mkdir()
    certificates.touch()
    assert bare.ok("config", "check").text == ""


def test_the_documentation_has_every_key_with_its_variable_and_option() -> None:
    text = markdown()
    for row in rows():
        assert row.meaning in text
        assert f"`{row.key}`" in text
        assert not row.variable or f"`{row.variable}`" in text
        assert not row.option or f"`{row.option}`" in text
    assert "EMTUI_TOKEN" in text


# ----------------------------------------------------------------------------------------------------- migrate

OLD = '# mine\n[profile.em]  # the first one\nem_url = "https://em.example.org"\n'


def test_an_older_file_is_read_as_it_is_and_written_anew_only_when_asked(bare: Cli, file: Path) -> None:
    file.write_text(OLD)
    file.chmod(0o640)
    assert "emtui config migrate" in bare.ok("config", "check").stderr
    assert file.read_text() == OLD
    done = bare.ok("config", "migrate")
    assert (done.text, "config.toml.bak-0" in done.stderr) == ("", True)
    assert file.read_text() == f"version = 1\n\n{OLD}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    backup = file.with_name("config.toml.bak-0")
    assert backup.read_text() == OLD
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["config.toml", "config.toml.bak-0"]
    again = bare.ok("config", "migrate", "--json").json
    assert again == {"file": str(file), "from": 1, "to": 1, "backup": None}
    assert "migrate" not in bare.ok("config", "check").stderr


def test_a_link_goes_on_leading_to_the_file(bare: Cli, file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    file.symlink_to(real)
    bare.ok("config", "migrate")
    assert file.is_symlink()
    assert real.read_bytes() == b"\xef\xbb\xbfversion = 1\r\n\r\n" + OLD.replace("\n", "\r\n").encode()


def test_a_copy_of_an_earlier_time_is_not_written_over(bare: Cli, file: Path) -> None:
    file.write_text(OLD)
    file.with_name("config.toml.bak-0").write_text("older")
    bare.ok("config", "migrate")
    assert file.with_name("config.toml.bak-0").read_text() == "older"
    assert file.with_name("config.toml.bak-0-1").read_text() == OLD


@pytest.mark.parametrize("line", ["version = 0", "'version'=0x0 # of old", '"version" = +0', "  version = 0\r"])
def test_a_file_that_says_it_is_of_version_0_says_1_in_that_place(bare: Cli, file: Path, line: str) -> None:
    before = f'# mine\u2028\ndefault_profile = "em"\n{line}\n[profile.em]\nlocal = "/x"\n'
    file.write_bytes(before.encode())
    bare.ok("config", "migrate")
    after = file.read_bytes().decode()
    assert tomllib.loads(after)["version"] == 1
    assert after.replace("1", "0", 1) == before.replace("0x0", "0").replace("+0", "0")
    assert bare.ok("config", "check").text == ""


def test_a_file_that_is_broken_is_not_written_anew(bare: Cli, file: Path) -> None:
    file.write_text("[a\n")
    assert bare("config", "migrate").code == Exit.CONFIG
    assert list(file.parent.iterdir()) == [file]
