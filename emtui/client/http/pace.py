"""Whether a transfer still moves: a least rate, measured over the time that the network was waited for."""


class Pace:
    """Counts what came and how long it was waited for; what the reader itself takes does not count."""

    def __init__(self, least_rate_bytes_s: float, window_s: float) -> None:
        self._least = least_rate_bytes_s
        self._window_s = window_s
        self._waited_s = 0.0
        self._count = 0

    def is_stalled(self, count: int, waited_s: float) -> bool:
        """`count` bytes came after `waited_s` seconds. True once a whole window of waiting brought too little."""
        self._count += count
        self._waited_s += waited_s
        if self._waited_s < self._window_s:
            return False
        is_stalled = self._count < self._least * self._waited_s
        self._waited_s, self._count = 0.0, 0
        return is_stalled
