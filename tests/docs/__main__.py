"""Says which blocks of the documentation are not executed, and why.

python -m tests.docs
"""

import sys

from tests.docs.blocks import EXECUTED, pages, read_page


def main() -> None:
    blocks = [block for path in pages() for block in read_page(path).blocks]
    executed = [block for block in blocks if block.is_executed and not block.is_hidden]
    left_out = [block for block in blocks if block.not_run and block.language in EXECUTED]
    sys.stdout.writelines(f"{block.where}: {block.not_run}\n" for block in left_out)
    sys.stdout.write(f"{len(executed)} blocks are executed, {len(left_out)} are not\n")


if __name__ == "__main__":
    main()
