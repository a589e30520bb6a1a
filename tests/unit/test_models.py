"""The wire's types: what they take from the specification's examples and from real servers, and what they refuse."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from emtui.models import (
    EncryptedModel,
    HostedModel,
    Image,
    PodSpec,
    PodState,
    PodStatus,
    Running,
    Terminated,
    UplinkResult,
    Waiting,
    WireNode,
    without_empty,
)
from emtui.plain import FileNode, Listing
from emtui.views import CommandState, Stage

NODES = TypeAdapter(tuple[WireNode, ...])

LISTING = [
    {
        "type": "file",
        "name": "downlink.txt",
        "size": "167",
        "time": "2025-11-20-12-31",
        "hash": 5686952638663605203,
    },
    {
        "type": "directory",
        "name": "echo-test",
        "size": "487",
        "time": "2025-11-20-11-30",
        "contents": [
            {
                "type": "file",
                "name": "Dockerfile",
                "size": "121",
                "time": "2025-11-20-13-43",
                "hash": -6285199279658827551,
            },
            {
                "type": "file",
                "name": "echo-test.sh",
                "size": "362",
                "time": "2025-11-20-13-43",
                "hash": -8104029944333627578,
            },
        ],
    },
]


# --------------------------------------------------------------------------------------------------- files


def test_the_specifications_listing_is_read_and_written_as_it_is() -> None:
    nodes = NODES.validate_python(LISTING)
    assert nodes[0] == WireNode(
        "file", "downlink.txt", 167, datetime(2025, 11, 20, 12, 31, tzinfo=UTC), 5686952638663605203
    )
    assert nodes[1].is_directory
    assert not nodes[0].is_directory
    written = NODES.dump_python(nodes)
    for node in (*written, *(written[1]["contents"])):
        for key in [key for key, value in node.items() if value is None]:
            del node[key]
    written[1]["contents"] = list(written[1]["contents"])
    assert list(written) == LISTING


def test_names_that_are_not_utf_8_are_kept() -> None:
    (node,) = NODES.validate_python([{**LISTING[0], "name": "caf\udce9\x1b[31m"}])
    assert node.name == "caf\udce9\x1b[31m"
    assert NODES.dump_python((node,))[0]["name"] == "caf\udce9\x1b[31m"


@pytest.mark.parametrize(
    "change",
    [
        {"size": "-1"},
        {"size": "1.5"},
        {"size": "9" * 5000},
        {"size": None},
        {"time": "yesterday"},
        {"time": "2025-13-01-00-00"},
        {"type": "hologram"},
        {"name": 7},
        {"name": None},
        {"hash": "x"},
        {"contents": "x"},
    ],
    ids=str,
)
def test_a_wrong_field_of_a_listing_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        NODES.validate_python([{**LISTING[0], **change}])
    assert next(iter(change)) in caught.value.errors()[0]["loc"]


def test_unknown_fields_are_ignored() -> None:
    assert NODES.validate_python([{**LISTING[0], "owner": "root"}])[0].name == "downlink.txt"


def test_a_listing_is_walked_and_searched() -> None:
    listing = Listing(NODES.validate_python(LISTING), "f", 3, 650)
    assert [path for path, _ in listing.walk()] == [
        "downlink.txt",
        "echo-test",
        "echo-test/Dockerfile",
        "echo-test/echo-test.sh",
    ]
    for path, node in listing.walk():
        assert listing.find(path) is node
        assert listing.find(f"/{path}/") is node
    for path in ("", "/", "missing", "echo-test/missing", "downlink.txt/x", "echo-test//Dockerfile"):
        assert listing.find(path) is None


def test_a_tree_1000_deep_needs_no_recursion() -> None:
    now = datetime.now(UTC)
    node = FileNode("file", "leaf", 1, now)
    for _ in range(5000):
        node = FileNode("directory", "d", 1, now, contents=(node,))
    listing = Listing((node,), "f", 1, 1)
    path, leaf = list(listing.walk())[-1]
    assert path == "d/" * 5000 + "leaf"
    assert listing.find(path) is leaf


def test_an_uplinks_answer() -> None:
    answer = UplinkResult.model_validate({"file_count": 3, "total_size_kb": 1.5, "more": 1})
    assert (answer.file_count, answer.total_size_kb) == (3, 1.5)
    with pytest.raises(ValidationError):
        answer.file_count = 4


# -------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("wire", "reference"),
    [
        ("echo", "echo:latest"),
        ("echo:v1", "echo:v1"),
        ("fpga.dphi.space:5000/alpine", "fpga.dphi.space:5000/alpine:latest"),
        ("fpga.dphi.space:5000/alpine:3", "fpga.dphi.space:5000/alpine:3"),
        ({"repository": "echo", "tag": "v1"}, "echo:v1"),
        ({"Repository": "echo", "Tag": "v1", "Digest": "x"}, "echo:v1"),
        ({"name": "echo"}, "echo:latest"),
        ({"name": "echo", "tag": None, "Size": None, "ID": None}, "echo:latest"),
        ({"repository": "[red]\x1b\udcff"}, "[red]\x1b\udcff:latest"),
    ],
    ids=ascii,
)
def test_images_of_every_shape(wire: object, reference: str) -> None:
    assert Image.model_validate(wire).reference == reference


def test_an_image_with_all_its_fields() -> None:
    image = Image.model_validate(
        {"Repository": "r", "Tag": "t", "ID": "sha256:1", "CreatedAt": "2026-01-01", "Size": 1_200_000}
    )
    assert (image.id, image.created, image.size, image.size_bytes) == ("sha256:1", "2026-01-01", "1200000", 1_200_000)


@pytest.mark.parametrize(
    ("size", "size_bytes"), [("", None), ("80MB", None), ("12", 12), ("²", None), ("-1", None), ("9" * 5000, None)]
)
def test_a_size_that_is_no_number_is_text(size: str, size_bytes: int | None) -> None:
    assert Image(repository="r", size=size).size_bytes == size_bytes


@pytest.mark.parametrize("wire", [None, 7, [], {}, {"tag": "x"}, {"repository": 7}, {"repository": "r", "size": True}])
def test_what_is_no_image(wire: object) -> None:
    with pytest.raises(ValidationError):
        Image.model_validate(wire)


# ---------------------------------------------------------------------------------------------------- pods


@pytest.mark.parametrize(
    "wire",
    [
        {"state": {}},
        {"state": {"running": {"startedAt": "2025-11-20T12:31:12Z"}}},
        {
            "state": {
                "waiting": {"message": 'Back-off pulling image "client1-echo-test12"', "reason": "ImagePullBackOff"}
            }
        },
        {"state": {"waiting": {}}},
        {
            "state": {
                "terminated": {
                    "exitCode": 137,
                    "reason": "DeadlineExceeded",
                    "startedAt": "2025-11-20T12:31:12Z",
                    "finishedAt": "2025-11-20T12:41:12Z",
                }
            }
        },
        {"state": {"terminated": {"exitCode": 0}}},
    ],
)
def test_a_status_is_read_and_written_as_specified(wire: dict[str, Any]) -> None:
    status = PodStatus.model_validate(wire)
    assert status.to_wire() == wire
    json.dumps(status.to_wire())
    assert status.state.is_active == (bool(wire["state"]) and "terminated" not in wire["state"])


@pytest.mark.parametrize("wire", [{}, {"state": None}, {"state": {"running": None}}, {"state": {"sleeping": {}}}])
def test_before_any_run_there_is_no_state(wire: dict[str, Any]) -> None:
    assert PodStatus.model_validate(wire) == PodStatus()
    assert not PodStatus().state.is_active


@pytest.mark.parametrize(
    "state",
    [
        {"running": {}},
        {"running": {"startedAt": "2025-11-20T12:31:12"}},
        {"running": {"startedAt": "soon"}},
        {"terminated": {"exitCode": "ok"}},
        {"terminated": {}},
        {"waiting": {"reason": 7}},
        [],
        "running",
    ],
    ids=str,
)
def test_a_state_that_is_none_is_refused(state: object) -> None:
    with pytest.raises(ValidationError):
        PodStatus.model_validate({"state": state})


@pytest.mark.parametrize(
    "state",
    [
        {"waiting": {"reason": "ContainerCreating", "message": None}},
        {"waiting": {"reason": None}, "running": None},
        {"running": {"startedAt": "2025-11-20T12:31:12Z", "message": None}},
        {"terminated": {"exitCode": 1, "reason": None, "message": None, "startedAt": None, "finishedAt": None}},
    ],
    ids=str,
)
def test_null_in_a_state_means_not_given(state: dict[str, Any]) -> None:
    given = {
        kind: {key: value for key, value in fields.items() if value is not None}
        for kind, fields in state.items()
        if fields
    }

    assert PodStatus.model_validate({"state": state}) == PodStatus.model_validate({"state": given})


def test_a_reason_that_is_not_utf_8_is_kept() -> None:
    status = PodStatus(state=PodState(waiting=Waiting(reason="\udcff\x1b", message="\ud800")))
    assert status.to_wire() == {"state": {"waiting": {"reason": "\udcff\x1b", "message": "\ud800"}}}


def test_states_are_made_by_the_names_of_their_fields() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert Running(started_at=now) == Running(startedAt=now)
    assert Terminated(exit_code=1, finished_at=now).finished_at == now


def test_a_spec() -> None:
    spec = PodSpec(docker_image="echo", max_duration=1.5, node="FPGA")
    assert spec.max_duration_s == 90
    assert (spec.scheduled_time, spec.command) == (None, "")
    later = PodSpec(docker_image="e", max_duration=1, node="GPU", scheduled_time="2025-05-22T12:10:00+02:00")
    assert later.scheduled_time == datetime(2025, 5, 22, 12, 10, tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(ValidationError):
        PodSpec(docker_image="e", max_duration=1, node="GPU", scheduled_time="2025-05-22T12:10:00")
    with pytest.raises(ValidationError):
        PodSpec(docker_image="e", max_duration="long", node="GPU")


# ---------------------------------------------------------------------------------------------------- rest


def test_grid_types() -> None:
    assert HostedModel(model_id="caf\udce9") == HostedModel(model_id="caf\udce9", is_copy_allowed=None)
    assert EncryptedModel.model_validate({"workers": ["a", "b ws://b"], "x": 1}).workers == ("a", "b ws://b")
    with pytest.raises(ValidationError):
        EncryptedModel.model_validate({"workers": [7]})


def test_what_is_not_given() -> None:
    assert without_empty({"a": "", "b": None, "c": 0, "d": False, "e": "x", "f": []}) == {
        "c": 0,
        "d": False,
        "e": "x",
        "f": [],
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["state", "running", "waiting", "type", "name", "size", "time"]), inner, max_size=4
        )
    ),
)


@given(JSON)
def test_rubbish_is_refused_with_one_kind_of_error(wire: Any) -> None:
    for adapter in (NODES, *map(TypeAdapter, (Image, PodStatus, UplinkResult, EncryptedModel))):
        try:
            adapter.validate_python(wire)
        except ValidationError:
            continue


def test_final_stages_and_the_time_that_is_left() -> None:
    assert {stage for stage in Stage if stage.is_final} == {
        Stage.COMPLETE,
        Stage.FAILED,
        Stage.CANCELLED,
        Stage.UNKNOWN,
    }
    now = datetime.now(UTC)

    def left(
        stage: Stage = Stage.EXECUTING, done: int = 50, total: int | None = 100, rate: float = 5.0
    ) -> float | None:
        return CommandState(
            1, "uplink", "t", stage, now, now, done_bytes=done, total_bytes=total, rate_bytes_s=rate
        ).eta_s

    assert left() == 10
    assert left(done=200) == 0
    assert left(total=None) is None
    assert left(rate=0.0) is None
    assert left(stage=Stage.COMPLETE) is None
