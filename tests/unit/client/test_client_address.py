"""Addresses: what is taken, what is refused, and that no secret comes back."""

import pytest

from emtui.client.http.address import Address
from emtui.errors import ConfigProblem, Untrusted


@pytest.mark.parametrize(
    ("text", "label", "origin", "target"),
    [
        ("http://localhost:8000", "localhost:8000", "http://localhost:8000", "/em/files/list"),
        ("http://127.0.0.1", "127.0.0.1", "http://127.0.0.1", "/em/files/list"),
        ("http://127.8.9.1:80/", "127.8.9.1", "http://127.8.9.1", "/em/files/list"),
        ("http://[::1]:8000", "[::1]:8000", "http://[::1]:8000", "/em/files/list"),
        ("HTTPS://EM.Example.org", "em.example.org", "https://em.example.org", "/em/files/list"),
        ("https://em.example.org:443/api/", "em.example.org", "https://em.example.org", "/api/em/files/list"),
        ("https://em.example.org//a//b/", "em.example.org", "https://em.example.org", "/a/b/em/files/list"),
        (" https://bücher.example ", "xn--bcher-kva.example", "https://xn--bcher-kva.example", "/em/files/list"),
    ],
)
@pytest.mark.parametrize("path", ["/em/files/list", "em/files/list", "//em/files/list"])
def test_an_address_is_read_and_no_slash_is_doubled(text: str, label: str, origin: str, target: str, path: str) -> None:
    address = Address.parse(text)

    assert (address.label, address.origin, address.target(path)) == (label, origin, target)
    assert not address.is_exposed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "em.example.org",
        "em.example.org:8000",
        "ftp://em.example.org",
        "http:em.example.org",
        "https://",
        "https://:8000",
        "https://a b",
        "https://a\nb",
        "https://host/pa th",
        "https://host/\x1b[31m",
        "https://host\\path",
        "https://host:0",
        "https://host:70000",
        "https://host:port",
        "https://host/?a=b",
        "https://host/#a",
        "https://host?",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://-host",
    ],
)
def test_what_is_no_address_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        Address.parse(text)

    assert caught.value.remedy


@pytest.mark.parametrize("text", ["https://me:canary@host", "https://canary@host/", "me:canary@host", "//me:canary@h"])
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigProblem, match="user or a password") as caught:
        Address.parse(text)

    assert "canary" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize(
    "text", ["http://em.example.org", "http://10.0.0.1:8000", "http://[2001:db8::1]", "http://0.0.0.0"]
)
def test_plain_http_goes_to_this_machine_only_unless_the_operator_insists(text: str) -> None:
    with pytest.raises(Untrusted) as caught:
        Address.parse(text)

    assert "--insecure" in caught.value.remedy
    assert Address.parse(text, insecure=True).is_exposed
    assert not Address.parse(text.replace("http:", "https:")).is_exposed


def test_a_name_that_only_looks_like_this_machine_is_another_one() -> None:
    for text in ("http://localhost.example.org", "http://127.0.0.1.example.org", "http://notlocalhost"):
        with pytest.raises(Untrusted):
            Address.parse(text)
