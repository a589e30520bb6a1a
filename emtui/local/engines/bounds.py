"""What a pod may use, in every engine. Standard library only: the sandbox's supervisor imports it."""

import os
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pod or one RUN may use.

    Attributes:
        processes: of the whole pod.
        memory_bytes: of each process (its data), and of the whole pod where a cgroup can be had.
        file_bytes: of each file it writes.
        keep_free_bytes: of the workspace's disk; a pod that goes below it is evicted.
    """

    processes: int = 512
    memory_bytes: int = 0
    file_bytes: int = 16 << 30
    keep_free_bytes: int = 512 << 20

    @classmethod
    def of_this_machine(cls, memory_bytes: int = 0, processes: int = 0) -> "Limits":
        """Half of the machine's memory, the rest as above; 0 for what is not given."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        made = cls(memory_bytes=memory_bytes or memory // 2)
        return replace(made, processes=processes) if processes else made
