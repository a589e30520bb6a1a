"""Names of images."""

import pytest

from emtui.errors import InvalidField
from emtui.local.names import is_of, parse_image, with_prefix, without_prefix


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("echo-test", "echo-test:latest"),
        ("echo-test:v1.2_x", "echo-test:v1.2_x"),
        ("a__b.c-d---e", "a__b.c-d---e:latest"),
        ("team/app:1", "team/app:1"),
        ("fpga.dphi.space:5000/alpine", "fpga.dphi.space:5000/alpine:latest"),
        ("localhost/alpine:3", "localhost/alpine:3"),
        ("x" * 255, "x" * 255 + ":latest"),
        ("x:" + "t" * 128, "x:" + "t" * 128),
    ],
)
def test_a_name_is_taken_apart(text: str, reference: str) -> None:
    assert parse_image(text, "image").reference == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Upper",
        "-x",
        "x-",
        "a..b",
        "a___b",
        "a b",
        "a//b",
        "/a",
        "a/",
        "x:",
        "x:-t",
        "x:" + "t" * 129,
        "x:a:b",
        "x" * 256,
        "x@sha256:" + "0" * 64,
        "../x",
        "-bad.host/x",
        "host:port/x",
        "ä",
        "a\n",
        "a:t\n",
        "\udcff",
        "[red]",
    ],
)
def test_what_is_no_name_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_image(text, "docker_image")

    assert caught.value.field == "docker_image"
    assert caught.value.remedy


def test_the_prefix_comes_and_goes() -> None:
    plain, own = parse_image("echo:1", "image"), parse_image("client1-echo:1", "image")

    assert with_prefix(plain, "client1") == own == with_prefix(own, "client1")
    assert without_prefix(own, "client1") == plain == without_prefix(plain, "client1")
    assert (is_of("client1-x", "client1"), is_of("client1-", "client1"), is_of("client11-x", "client1")) == (
        True,
        False,
        False,
    )
