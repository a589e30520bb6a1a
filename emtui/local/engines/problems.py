"""What goes wrong inside an engine before it becomes `BuildFailed` or `LoadFailed` with a log."""


class BuildProblem(Exception):
    """A build cannot go on. `args[0]` is the text behind `failed to solve: `.

    `line` is the first line of the instruction (from 1), 0 where no line is to blame. `step` is the title of the
    step that failed where it is none that was begun.
    """

    def __init__(self, message: str, *, line: int = 0, step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.step = step


class LoadProblem(Exception):
    """A tar file is not an image that can be taken. `args[0]` is the line for the log."""
