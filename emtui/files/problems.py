"""What the operating system says about a file, as an error with its remedy."""

import errno
import os

from emtui.errors import LocalProblem

_REMEDIES = {
    errno.ENOSPC: "Free some space on this disk, or choose a folder on another one.",
    errno.EDQUOT: "Your quota is used up: remove something, or choose a folder on another disk.",
    errno.EFBIG: "The file system takes no file of this size: choose a folder on another disk.",
    errno.EACCES: "Give yourself the rights to it, or choose another place.",
    errno.EPERM: "Give yourself the rights to it, or choose another place.",
    errno.EROFS: "Choose a place that can be written to.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "A file stands where a folder should be: check the path.",
    errno.EISDIR: "A folder stands there: choose another name.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EILSEQ: "This disk does not take such a name: choose another one.",
    errno.EIO: "The disk may be failing: choose another one, and look at the system's log.",
    errno.EMFILE: "Too many files are open: close some programs, or raise the limit (ulimit -n).",
    errno.ENFILE: "Too many files are open: close some programs.",
    errno.ELOOP: "Links go round in a circle there: choose the file itself.",
}


def disk_problem(error: OSError | ValueError | RuntimeError, path: object) -> LocalProblem:
    """`error`, met with `path`, as one sentence and what to do about it.

    Python says `ValueError` of a NUL or of a character that no file name can hold, `RuntimeError` of a `~name`
    that is nobody's.
    """
    if not isinstance(error, OSError):
        return LocalProblem(f"{path}: no path of this system ({error})", remedy="Check the path.")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return LocalProblem(
        f"{path}: {reason}", remedy=_REMEDIES.get(error.errno or 0, "Mend that, or choose another place.")
    )
