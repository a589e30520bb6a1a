"""What pods may do and use: as options of both commands, and as keys of a profile."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from emtui.__main__ import main
from emtui.cli.nouns import serve
from emtui.cli.profile_options import add_profile_options, profile_from
from emtui.cli.verb import parser_of
from emtui.config.layers import resolve
from emtui.errors import ConfigProblem
from emtui.local.engines import choose
from emtui.local.engines.base import Engine
from emtui.opening import open_ends
from emtui.pod import limits as pod_limits
from emtui.profile import PodPolicy, Profile
from emtui.server.settings import Settings
from tests.serving import served_here

ALL = ("--pod-network", "--pod-read-only", "--pod-memory", "1.5G", "--pod-cpus", "0.5", "--pod-processes", "64")
POLICY = PodPolicy(True, True, 3 << 29, 0.5, 64)


def _profile(*words: str) -> Profile:
    parser = ArgumentParser()
    add_profile_options(parser)
    return profile_from(parser.parse_args(words))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 << 20),
        ("2G", 2 << 30),
        ("2GiB", 2 << 30),
        ("2 Gi", 2 << 30),
        ("1T", 1 << 40),
        ("8192k", 8 << 20),
        ("1.5G", 3 << 29),
        ("6M", 6 << 20),
        (6 << 20, 6 << 20),
        ("6291456", 6 << 20),
        ("6291456B", 6 << 20),
    ],
)
def test_a_size_is_read_in_units_of_1024(text: object, size: int) -> None:
    assert pod_limits.memory_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "5M", "-1G", "1E", "lots", "1.G", "9999999T", True, "1 G B", "٣M", "1" * 5000, None]
)
def test_what_is_no_size_is_refused_in_words(text: object) -> None:
    with pytest.raises(ValueError, match=r"needed|no machine has") as caught:
        pod_limits.memory_bytes(text)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("text", ["0", "0.05", "-1", "nan", "inf", "1e9", "5000", "", True, "two"])
def test_what_is_no_number_of_processors_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"0\.1 or more"):
        pod_limits.cpus(text)


@pytest.mark.parametrize("text", ["3", "0", "-4", "4.5", "1e3", "99999999", "²", True, ""])
def test_what_is_no_number_of_processes_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="4 or more"):
        pod_limits.processes(text)


def test_what_is_too_much_is_refused_with_the_most_that_can_be() -> None:
    with pytest.raises(ValueError, match="at most 4194304, is needed, not '99999999'"):
        pod_limits.processes("99999999")
    with pytest.raises(ValueError, match="at most 4194304, "):
        pod_limits.processes("9" * 5000)
    with pytest.raises(ValueError, match="at most 4096, is needed, not '5000'"):
        pod_limits.cpus("5000")
    with pytest.raises(ValueError, match="1048576T is the most"):
        pod_limits.memory_bytes("9999999T")
    assert pod_limits.processes("4194304") == 1 << 22


def test_the_options_become_a_policy_on_both_commands(tmp_path: Path) -> None:
    assert _profile().pods == PodPolicy()
    assert _profile(*ALL).pods == POLICY
    assert serve._settings(parser_of(serve.VERBS[0]).parse_args(ALL)).pods == POLICY
    assert serve._settings(parser_of(serve.VERBS[0]).parse_args(["--engine", "docker"])).engine == "docker"


def test_a_wrong_option_is_named_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (("--pod-memory", "5M"), "--pod-memory: at least 6M is needed, not '5M'"),
        (("--pod-cpus", "0"), "--pod-cpus: a number of processors, 0.1 or more, is needed, not '0'"),
        (("--pod-processes", "1"), "--pod-processes: a whole number of processes, 4 or more, is needed, not '1'"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["serve", *words])
        assert caught.value.code == 2
        assert said in capsys.readouterr().err


def test_a_profile_says_it_and_options_go_over_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[profile.bench]\nlocal = "ws"\nengine = "docker"\npod_network = true\npod_memory = "512M"\npod_cpus = 2\n'
        "pod_processes = 100\n"
    )
    profile = resolve({"profile": "bench", "config": file}).profile
    assert profile.engine == "docker"
    assert profile.pods == PodPolicy(with_network=True, memory_bytes=512 << 20, cpus=2.0, processes=100)
    over = _profile("-p", "bench", "--config", str(file), "--pod-memory", "1G", "--pod-read-only")
    assert over.pods == PodPolicy(True, True, 1 << 30, 2.0, 100)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('pod_memory = "5M"', "at least 6M is needed, not '5M'"),
        ("pod_memory = 512", "at least 6M is needed, not 512"),
        ("pod_cpus = true", "a number of processors, 0.1 or more, is needed, not True"),
        ('pod_processes = "many"', "a whole number of processes, 4 or more, is needed, not 'many'"),
        ("pod_network = 7", "boolean"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[profile.bench]\nlocal = "ws"\n{line}\n')
    with pytest.raises(ConfigProblem) as caught:
        resolve({"profile": "bench", "config": file})
    assert caught.value.message.startswith(f"{file}:3: profile.bench.{line.partition(' ')[0]}: ")
    assert what in caught.value.message
    assert caught.value.remedy


def test_they_are_refused_where_no_pod_is_run_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="--pod-network is for pods of local mode") as caught:
        _profile("--em-url", "https://em.example.org", "--pod-network")
    assert "--local" in caught.value.remedy
    assert _profile("--grid-url", "https://g.example.org", "--local", "ws", "--pod-network").pods.with_network


async def test_what_was_asked_for_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[PodPolicy] = []
    choose_engine = choose.choose_engine

    async def watched(*arguments: Any, policy: PodPolicy, **more: Any) -> Engine:
        asked.append(policy)
        return await choose_engine(*arguments, policy=policy, **more)

    monkeypatch.setattr(choose, "choose_engine", watched)
    async with open_ends(Profile(tmp_path / "one", engine="simulated", pods=POLICY)) as ends:
        await ends.backends.em.info()
    with served_here(tmp_path / "other", pods=POLICY):  # which looks for its engine at the start
        assert asked == [POLICY, POLICY]


def test_serve_takes_the_defaults_of_local_mode_and_a_local_profile(own_home: Path) -> None:
    file = own_home / ".config/emtui/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        'version = 1\ndefault_profile = "em"\n[local]\ndirectory = "/somewhere/usual"\nengine = "simulated"\n'
        'base_images = ["alpine"]\npod_cpus = 2\n[profile.em]\nem_url = "https://em.example.org"\n'
        '[profile.bench]\nlocal = "/somewhere/bench"\nengine = "sandbox"\n'
    )

    def settings(*words: str) -> Settings:
        return serve._settings(parser_of(serve.VERBS[0]).parse_args(words))

    usual = settings()
    assert (str(usual.directory), usual.engine, usual.base_images) == ("/somewhere/usual", "simulated", ("alpine",))
    assert usual.pods == PodPolicy(cpus=2.0)
    over = settings("--local", "there", "--engine", "docker", "--base-images", "debian", "--pod-cpus", "1")
    assert (str(over.directory), over.engine, over.base_images) == ("there", "docker", ("debian",))
    assert over.pods == PodPolicy(cpus=1.0)
    bench = settings("-p", "bench")
    assert (str(bench.directory), bench.engine, bench.base_images) == ("/somewhere/bench", "sandbox", ("alpine",))


def test_serve_says_why_a_remote_profile_cannot_be_served(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = own_home / "config.toml"
    file.write_text('[profile.em]\nem_url = "https://em.example.org"\nlocal = "x"\n')
    assert main(["serve", "--config", str(file), "-p", "em"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "emtui serve: profile em: the EM is not local, and only local mode can be served. Give --local"
    )
