"""What variables give together is not mixed with what an option names."""

import pytest

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli
from tests.cli.wired import file_node, listed, wired
from tests.wire_server import answer


@pytest.mark.parametrize("name", ["EMTUI_TOKEN", "EMTUI_PASSWORD"])
def test_a_secret_for_the_address_of_a_variable_goes_to_no_other(
    bare: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("EMTUI_EM_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("EMTUI_USERNAME", "bob")
    monkeypatch.setenv(name, "hunter2")
    with wired(lambda _asked: answer(401, {"error": "UNAUTHORIZED", "message": "no token"})) as server:
        done = bare("files", "list", "--em-url", server.url, "--username", "client1")
        assert (done.code, done.text) == (Exit.NOT_SIGNED_IN, "")
        assert (
            f"emtui: EMTUI_EM_URL, EMTUI_USERNAME, {name} are not obeyed: --em-url names what to open\n" in done.stderr
        )
        assert "hunter2" not in done.stderr + "".join(f"{asked.headers} {asked.body!r}" for asked in server.asked)


def test_a_token_without_an_address_is_for_what_an_option_names(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "t0ken")
    with wired(listed(file_node("a", 1))) as server:
        assert bare.ok("files", "list", "--em-url", server.url).rows[0][2] == "a"
        assert {asked.token for asked in server.asked} == {"t0ken"}
