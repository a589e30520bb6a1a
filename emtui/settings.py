"""How the console looks and behaves, as the configuration has it. No library is needed to make one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

POLL_S = 5.0
"""Seconds between two polls of what changes seldom."""

ACTIVE_POD_POLL_S = 1.0
"""Seconds between two polls of a pod that waits or runs."""

DEFAULT_THEME = "dark"


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How the console looks and behaves.

    Attributes:
        theme: one of the bundled themes.
        keys: keys by the ids of `emtui.keys.keymap`, where they are not the usual ones: `{"uplink": "u"}`.
        poll_s, active_pod_poll_s: seconds between two polls; of a pod that waits or runs.
    """

    theme: str = DEFAULT_THEME
    keys: Mapping[str, str] = field(default_factory=dict)
    poll_s: float = POLL_S
    active_pod_poll_s: float = ACTIVE_POD_POLL_S
