"""What the demo workspace holds: small files, made afresh and always the same."""

import json
import math
import random
import struct
from collections.abc import Mapping

BASE_IMAGE = "alpine:latest"
"""What its Dockerfiles begin with."""

README = """\
This is a rehearsal volume. Pods see it as /data. Everything in it may be changed or deleted.

Try this, by keyboard:

1. Run a pod: press r, give the image echo-test, a node (FPGA) and some minutes.
   Pane 3 shows how it goes. It writes downlink.txt in this volume.
2. Downlink its result: press 1, go to downlink.txt, press d, and give a folder of your own disk.
3. Build an image: press b, with the context fisheye, the Dockerfile fisheye/Dockerfile and any name.
   Run it: it straightens fisheye/earth.pgm and writes fisheye/flat.pgm.
4. Uplink files of your own: press u and type or paste a path. Whole folders keep their tree.
5. Publish a model: press m. Fetch one: go to pane 4 and press g. The model gpt2-plan may not be copied.

? shows the keys that work where you are, ctrl+p finds every command, q quits.
"""

ECHO_DOCKERFILE = """\
FROM alpine:latest
WORKDIR /app
COPY echo-test.sh .
RUN chmod +x echo-test.sh
ENTRYPOINT ["/app/echo-test.sh"]
"""

ECHO_SCRIPT = """\
#!/bin/sh
# What is written to /data is in the volume, and can be downlinked.
set -eu
steps=${STEPS:-5}
echo "echo-test started $(date -u +%Y-%m-%dT%H:%M:%SZ)" > /data/downlink.txt
step=0
while [ "$step" -lt "$steps" ]; do
    step=$((step + 1))
    echo "step $step of $steps" >> /data/downlink.txt
    sleep 1
done
echo "echo-test finished $(date -u +%Y-%m-%dT%H:%M:%SZ)" >> /data/downlink.txt
"""

FISHEYE_DOCKERFILE = """\
FROM alpine:latest
WORKDIR /app
COPY fisheye.sh .
ENV BEND=35
ENTRYPOINT ["/bin/sh", "/app/fisheye.sh"]
"""

FISHEYE_SCRIPT = """\
#!/bin/sh
# Straightens a fisheye picture (plain PGM): each pixel is fetched from where the lens had put it.
# BEND is how far the lens moves a corner towards the middle, in per cent.
set -eu
in=${1:-/data/fisheye/earth.pgm}
out=${2:-/data/fisheye/flat.pgm}
{ read -r magic; read -r width height; read -r depth; pixels=$(cat); } < "$in"
[ "$magic" = P2 ] || { echo "$in: not a plain PGM picture" >&2; exit 1; }
set -- $pixels
cx=$((width / 2)) cy=$((height / 2))
corner=$((cx * cx + cy * cy))
{
    echo "P2"; echo "$width $height"; echo "$depth"
    y=0
    while [ "$y" -lt "$height" ]; do
        line='' x=0 dy=$((y - cy))
        while [ "$x" -lt "$width" ]; do
            dx=$((x - cx))
            scale=$((1000 - BEND * 10 * (dx * dx + dy * dy) / corner))
            from=$(((cy + dy * scale / 1000) * width + cx + dx * scale / 1000 + 1))
            eval "line=\\"\\$line \\${$from}\\""
            x=$((x + 1))
        done
        echo "${line# }"
        y=$((y + 1))
    done
} > "$out.part"
mv "$out.part" "$out"
"""

_WIDTH, _HEIGHT, _WHITE = 64, 48, 255


def _picture() -> str:
    """A globe's grid as a fisheye lens sees it, a plain PGM of 64 × 48 pixels."""
    rows = []
    for y in range(_HEIGHT):
        row = []
        for x in range(_WIDTH):
            dx, dy = (x - _WIDTH / 2) / (_WIDTH / 2), (y - _HEIGHT / 2) / (_WIDTH / 2)
            bent = 1 + 0.5 * (dx * dx + dy * dy)
            on_line = any(round(8 * part * bent, 1) % 2 < 0.35 for part in (dx, dy))
            row.append(_WHITE if on_line else int(90 * max(0.0, 1 - dx * dx - dy * dy)))
        rows.append(" ".join(map(str, row)))
    return f"P2\n{_WIDTH} {_HEIGHT}\n{_WHITE}\n" + "\n".join(rows) + "\n"


def _telemetry(day: int) -> str:
    """Housekeeping of one day, a row for every ten minutes: an orbit of 95 minutes, a third of it in shadow."""
    noise = random.Random(day)  # noqa: S311 - to look measured, not to be secret
    rows = ["time,panel_w,battery_v,board_c"]
    for minute in range(0, 1440, 10):
        angle = 2 * math.pi * ((day * 1440 + minute) % 95) / 95
        sun = max(0.0, math.cos(angle) + 0.5) / 1.5
        rows.append(
            f"2026-{day:03}T{minute // 60:02}:{minute % 60:02}:00Z,{38 * sun + noise.random():.2f},"
            f"{7.2 + 0.9 * sun + noise.random() / 20:.3f},{18 + 11 * math.sin(angle - 0.6) + noise.random():.1f}"
        )
    return "\n".join(rows) + "\n"


def volume() -> dict[str, dict[str, bytes]]:
    """The volume's files: folder (empty for the volume itself) → name → content."""
    texts = {
        "": {"README.txt": README},
        "echo-test": {"Dockerfile": ECHO_DOCKERFILE, "echo-test.sh": ECHO_SCRIPT},
        "fisheye": {"Dockerfile": FISHEYE_DOCKERFILE, "fisheye.sh": FISHEYE_SCRIPT, "earth.pgm": _picture()},
        "telemetry": {f"2026-{day}.csv": _telemetry(day) for day in (322, 323, 324)},
    }
    return {folder: {name: text.encode() for name, text in files.items()} for folder, files in texts.items()}


def weights(seed: int, tensors: Mapping[str, tuple[int, ...]]) -> bytes:
    """Untrained weights as a safetensors file: the header's length, a JSON header, float32 values."""
    chance = random.Random(seed)  # noqa: S311 - the same numbers every time are what is wanted
    header: dict[str, object] = {"__metadata__": {"made_by": "emtui demo"}}
    values = []
    begin = 0
    for name, tensor in tensors.items():
        count = math.prod(tensor)
        values.append(struct.pack(f"<{count}f", *(chance.uniform(-0.1, 0.1) for _ in range(count))))
        header[name] = {"dtype": "F32", "shape": list(tensor), "data_offsets": [begin, begin + 4 * count]}
        begin += 4 * count
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(values)


def models() -> dict[str, tuple[bytes, bool]]:
    """The Grid Node's models: id → content, and whether it may be downloaded."""
    cnn = {"conv.weight": (8, 1, 5, 5), "conv.bias": (8,), "dense.weight": (10, 1152), "dense.bias": (10,)}
    return {
        "mnist-cnn": (weights(1, cnn), True),
        "boston-linear": (weights(2, {"linear.weight": (1, 13), "linear.bias": (1,)}), True),
        "gpt2-plan": (weights(3, {"wte.weight": (256, 48), "wpe.weight": (64, 48)}), False),
    }
