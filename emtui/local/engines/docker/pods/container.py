"""A pod as the Docker Engine is asked for it: what it sees, what it may do, what it may use."""

import re
from collections.abc import Mapping
from typing import Any

from emtui.local.engines.base import PodRequest
from emtui.local.engines.bounds import Limits
from emtui.local.engines.config import DEFAULT_SHELL
from emtui.local.engines.docker.daemon import Facts
from emtui.local.engines.docker.names import LABEL_NAME, LABEL_NODE, LABEL_POD, Names
from emtui.local.engines.records import host_name
from emtui.profile import PodPolicy

VOLUME = "/data"

# What is left to a container's root is what the image's own programs may need among their own files and users.
DROPPED_CAPABILITIES = (
    "AUDIT_WRITE",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETPCAP",
    "SYS_CHROOT",
)

# What a pod prints is not kept (wire contract), but why a command could not be executed is told there. `none` would
# hide that, anything without a bound would fill the disk.
_LOG = {"Type": "json-file", "Config": {"max-size": "64k", "max-file": "1"}}

_SHM_BYTES = 64 << 20
_TMP_BYTES = 256 << 20
_CPU = 1_000_000_000
_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def container_name(names: Names, pod_id: str) -> str:
    """Unique in the engine, so that a pod can have one container only."""
    return f"emtui-{names.workspace_id}-{_NAME.sub('-', pod_id)}"


def container_of(
    pod: PodRequest, names: Names, facts: Facts, *, image: str, volume: str, group: int, policy: PodPolicy,
    limits: Limits,
) -> dict[str, Any]:  # fmt: skip
    """The body of `POST /containers/create`.

    `image` is an id, `volume` the absolute path of the volume, `group` the number of its group, which a pod is in as
    well: an image's own user may write there, as Kubernetes' `fsGroup` has it.
    """
    made: dict[str, Any] = {
        "Image": image,
        "Hostname": host_name(pod.name),
        "StopSignal": "SIGTERM",
        "Labels": {**names.labels, LABEL_POD: pod.pod_id, LABEL_NODE: pod.node, LABEL_NAME: pod.name},
        "AttachStdout": False,
        "AttachStderr": False,
        "HostConfig": {**_host_config(facts, volume, policy, limits), "GroupAdd": [str(group)]},
    }
    if pod.command:
        made |= {"Entrypoint": list(DEFAULT_SHELL), "Cmd": [pod.command]}
    return made


def _host_config(facts: Facts, volume: str, policy: PodPolicy, limits: Limits) -> dict[str, Any]:
    # `Mounts`, not `Binds`: a source that the engine does not see is an error, and not an empty folder that it makes.
    mount = {"Type": "bind", "Source": volume, "Target": VOLUME, "BindOptions": {"Propagation": "rprivate"}}
    made: dict[str, Any] = {
        "Mounts": [mount],
        "NetworkMode": "default" if policy.with_network else "none",
        "Privileged": False,
        "CapDrop": list(DROPPED_CAPABILITIES),
        "SecurityOpt": ["no-new-privileges", *(["label=disable"] if facts.has_selinux else [])],
        "ReadonlyRootfs": policy.has_read_only_root,
        "LogConfig": _LOG,
        "ShmSize": _SHM_BYTES,
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": limits.file_bytes, "Hard": limits.file_bytes},
        ],
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
    }
    if policy.has_read_only_root:
        made["Tmpfs"] = {"/tmp": f"rw,exec,nosuid,nodev,size={_TMP_BYTES}"}  # noqa: S108 - a path inside the container
    return made | _limits(facts, policy, limits)


def _limits(facts: Facts, policy: PodPolicy, limits: Limits) -> dict[str, int]:
    made: dict[str, int] = {}
    if facts.limits_memory:
        memory = policy.memory_bytes or limits.memory_bytes
        made |= {"Memory": memory, "MemorySwap": memory}
    if facts.limits_processes:
        made["PidsLimit"] = policy.processes or limits.processes
    cpus = min(policy.cpus or facts.cpus, facts.cpus)
    if facts.limits_cpus and cpus:
        made["NanoCpus"] = round(cpus * _CPU)
    return made


def notes_of(facts: Facts, policy: PodPolicy, limits: Limits) -> tuple[str, ...]:
    """What is special about pods of this engine, for the operator."""
    wanted = _limits(facts, policy, limits)
    notes = [
        f"{facts.product} {facts.version}, API {facts.api_version}",
        "pods reach the network (--pod-network)" if policy.with_network else "no network in a pod nor in a build's RUN",
        "a pod sees its image's files and the volume at /data"
        + ("; its root is read-only, /tmp is memory" if policy.has_read_only_root else ""),
        _said("MiB of memory for a whole pod", wanted.get("Memory", 0) >> 20, "memory"),
        _said("processes in a pod", wanted.get("PidsLimit", 0), "the number of a pod's processes"),
        _said("processors", wanted.get("NanoCpus", 0) / _CPU, "processor time"),
        "the rate of disk traffic is not limited",
    ]
    if not facts.is_rootless:
        notes.append("what a pod writes to the volume belongs to its image's user, root for most")
    return tuple(notes)


def _said(what: str, value: float, otherwise: str) -> str:
    return f"at most {value:g} {what}" if value else f"{otherwise} cannot be limited by this engine here"


def pod_of(container: Mapping[str, Any]) -> str:
    """The pod's id of a container as `GET /containers/json` lists it; empty where it is none of ours."""
    return str((container.get("Labels") or {}).get(LABEL_POD, ""))
