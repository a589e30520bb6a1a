"""A plain JavaScript client (npm `socket.io-client`) does all events of the Grid Node API against the server."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.grid_serving import DEADLINE_S, served_grid

_INSTALL_S = 120

_CLIENT = """
const { io } = require("socket.io-client");
const socket = io(process.argv[2], { transports: [process.argv[3]], reconnection: false });
const call = (event, ...body) => socket.timeout(15000).emitWithAck(event, ...body);
socket.on("connect_error", (error) => { console.error(error.message); process.exit(1); });
socket.on("connect", async () => {
  const model = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");
  const fields = { encoding: "ISO-8859-1", allow_download: true };
  const answers = [
    await call("/serve_model", { ...fields, model_id: "org/mnist 🛰️", model }),
    await call("/serve_model", { ...fields, model_id: "binary", model: Buffer.from([0, 255]) }),
    await call("/serve_model", { ...fields, model_id: "binary", model }),
    await call("/models"),
    await call("/is_model_copy_allowed/org/mnist 🛰️"),
    (await call("/get_model/org/mnist 🛰️")).serialized_model === model,
    await call("/get_model/binary"),
    await call("/get_model/none"),
    await call("/dataset-tags"),
    await call("/search-encrypted-models", { model_id: "shares" }),
    await call("/search", { query: "#mnist" }),
    await call("/nonsense"),
  ];
  socket.disconnect();
  // A long poll that is still out would keep the process.
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
});
"""


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("js")
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    problem = f"{' and '.join(missing)} not installed" if missing else ""
    if not missing:
        install = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--prefix",
            str(folder),
            "socket.io-client@4",
        ]
        try:
            done = subprocess.run(install, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
            problem = f"npm install: {done.stderr[-200:]}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = "npm install takes too long"
    if problem:
        missing(f"no JavaScript client of Socket.IO here: {problem}")
    (folder / "client.js").write_text(_CLIENT, encoding="utf-8")
    return folder


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_javascript_client_does_all_eight_events(tmp_path: Path, client_folder: Path, transport: str) -> None:
    async with served_grid(tmp_path / "w") as node:
        await node.grid.register_dataset("digits", ("#mnist",))
        await node.grid.register_encrypted_model("shares", ("alice",), ("carol",))
        process = await asyncio.create_subprocess_exec(
            "node", "client.js", node.url, transport, cwd=client_folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(DEADLINE_S * 2):
            out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    answers = json.loads(out)
    assert answers[:11] == [
        {"success": True, "message": "Model saved with id: org/mnist 🛰️"},
        {"success": True, "message": "Model saved with id: binary"},
        {"success": False, "message": "Model id already exists."},
        {"success": True, "models": ["org/mnist 🛰️", "binary"]},
        {"success": True},
        True,
        {"serialized_model": "\x00\xff"},
        {"error": "Model not found."},
        ["#mnist"],
        {"workers": ["alice"], "crypto_provider": ["carol"]},
        {"content": True},
    ]
    assert answers[11]["error"] == "unknown event"
