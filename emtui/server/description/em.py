"""The EM API and the sign-in in the document: each call with the specification's answers and examples."""

from typing import Any

from emtui.server.description.parts import (
    BAD_REQUEST,
    FAILED,
    LOCKED,
    MESSAGE,
    NEEDED_TEXT,
    NOT_SIGNED_IN,
    OPTIONAL_TEXT,
    PARTS,
    REFUSED,
    STALLED,
    TEXT,
    WRONG_TYPE,
    Schema,
    answer,
    body,
    error,
    fields,
)
from emtui.server.em.calls import ROUTES

_WITH_DATA: Schema = {"type": "object", "required": ["message", "data"]}


def _with_data(data: Schema) -> Schema:
    return {**_WITH_DATA, "properties": {"message": TEXT, "data": data}}


_FILES_EXAMPLE = [
    {"type": "file", "name": "downlink.txt", "size": "167", "time": "2025-11-20-12-31", "hash": 5686952638663605203},
    {
        "type": "directory",
        "name": "echo-test",
        "size": "121",
        "time": "2025-11-20-11-30",
        "contents": [
            {
                "type": "file",
                "name": "Dockerfile",
                "size": "121",
                "time": "2025-11-20-13-43",
                "hash": -6285199279658827551,
            }
        ],
    },
]
_BUILD_FAILED = {
    "error": "BUILD_FAILED",
    "message": "Docker build failed",
    "log_tail": ['unable to prepare context: path "/clients/client1-pvc/new-software" not found\n'],
}
_LOAD_FAILED = {
    "error": "IMAGE_LOAD_FAILED",
    "message": "Docker Image tarfile failed to load",
    "log_tail": ["sh: line 1: /clients/client1-pvc/test2.tar: No such file or directory\n"],
}
_RUNNING = {"running": {"startedAt": "2025-11-20T12:31:12Z"}}
_NOT_PULLED = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "client1-echo-test12": …'}}


def _either(*names: str) -> dict[str, Any]:
    """One of two names of the same field; the other one may be there, and empty."""
    return {"anyOf": [fields({name: NEEDED_TEXT}, [name]) for name in names]}


_BUILD = {
    **fields(dict.fromkeys(("dockerfile", "context", "image_name", "image"), OPTIONAL_TEXT)),
    **_either("image_name", "image"),
}
_LOAD = fields({"tarfile": NEEDED_TEXT, "image": NEEDED_TEXT}, ["tarfile", "image"])
_DURATION: Schema = {
    "description": "Minutes, as a number or as text of one",
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 10080},
        {"type": "string", "pattern": r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$"},
    ],
}
_WHEN: Schema = {
    "description": "ISO 8601 with a zone; not given for now",
    "nullable": True,
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "enum": [""]}],
}
_RUN = {
    **fields(
        {
            "docker_image": OPTIONAL_TEXT,
            "image": OPTIONAL_TEXT,
            "max_duration": _DURATION,
            "node": {"type": "string", "enum": ["FPGA", "GPU", "MPU", "fpga", "gpu", "mpu"]},
            "scheduled_time": _WHEN,
            "command": OPTIONAL_TEXT,
        },
        ["max_duration", "node"],
    ),
    **_either("docker_image", "image"),
}
_UPLINK = fields(
    {
        "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
        "dest_path": {"type": "string", "description": "The folder of the volume; it is made where it is missing"},
    },
    ["files"],
)

_OPERATIONS: dict[str, dict[str, Any]] = {
    "uplink": {
        "summary": "Upload files into the user's volume: all of them, or none. At most 500 MB in one call",
        "requestBody": body(_UPLINK, {"files": ["…"], "dest_path": "echo-test"}, [PARTS]),
        "responses": {
            "200": answer(
                "Success",
                _with_data(fields({"file_count": {"type": "integer"}, "total_size_kb": {"type": "number"}})),
                {"message": "Successfully uplinked files", "data": {"file_count": 2, "total_size_kb": 0.47}},
            ),
            "400": error(
                "Nothing was kept",
                {"error": "NO_FILES", "message": "No files were provided for uplink!"},
                {"error": "MAX_UPLINK_SIZE_EXCEEDED", "message": "Total upload size exceeds 500 MB"},
            ),
            "408": STALLED,
        },
    },
    "list": {
        "summary": "The files of the user's volume, with sizes and hashes",
        "responses": {
            "200": answer(
                "Success",
                _with_data({"type": "array", "items": {"$ref": "#/components/schemas/FileNode"}}),
                {"message": "Successfully listed files", "data": _FILES_EXAMPLE},
            )
        },
    },
    "downlink": {
        "summary": "A file of the volume, base64 in JSON. Streamed: the answer has no Content-Length",
        "parameters": [
            {
                "name": "filepath",
                "in": "query",
                "required": True,
                "schema": NEEDED_TEXT,
                "example": "echo-test/echo-test.sh",
            }
        ],
        "responses": {
            "200": answer(
                "Success. A file that changes while it is read ends with `error` and `message`, and is cut off",
                fields(
                    {
                        "content": {"type": "string", "format": "byte"},
                        "filename": TEXT,
                        "size": {"type": "integer", "minimum": 0},
                        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256"},
                    },
                    ["content", "filename", "size", "hash"],
                ),
                {
                    "content": "aGVsbG8K",
                    "filename": "example.txt",
                    "size": 6,
                    "hash": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                },
            ),
            "400": error("Error in path provided", {"error": "BAD_REQUEST", "message": "not a file: echo-test"}),
            "403": error("Illegal path provided", {"error": "FORBIDDEN", "message": "filepath: it leaves …"}),
            "404": error("File missing", {"error": "NOT_FOUND", "message": "no such file: …"}),
        },
    },
    "delete": {
        "summary": "Remove a file, or a folder with all that is in it",
        "requestBody": body(fields({"filepath": NEEDED_TEXT}, ["filepath"]), {"filepath": "echo-test"}),
        "responses": {
            "200": answer("Success", MESSAGE, {"message": "File deleted successfully"}),
            "400": error("File delete failed", {"error": "BAD_REQUEST", "message": "no such file or folder: …"}),
        },
    },
    "build": {
        "summary": "Build an image of a folder of the volume. The user's name is put before `image_name` (or `image`)",
        "requestBody": body(
            _BUILD, {"dockerfile": "echo-test/Dockerfile", "context": "echo-test", "image_name": "echo-test"}
        ),
        "responses": {
            "200": answer("Success", MESSAGE, {"message": "Docker Image built successfully"}),
            "400": error("Build failed, with the log's last 100 lines", _BUILD_FAILED),
        },
    },
    "load": {
        "summary": "Load an image from a tar file of the volume. `image` is the name that it was built with",
        "requestBody": body(_LOAD, {"tarfile": "echo-test.tar", "image": "echo-test"}),
        "responses": {
            "200": answer("Success", MESSAGE, {"message": "Tar file loaded successfully"}),
            "400": error("Invalid path or load failure", _LOAD_FAILED),
        },
    },
    "images": {
        "summary": "The images that the user has built and loaded",
        "responses": {
            "200": answer(
                "Success",
                _with_data({"type": "array", "items": {"$ref": "#/components/schemas/Image"}}),
                {"message": "Successfully loaded list of docker images", "data": []},
            )
        },
    },
    "run": {
        "summary": "Run a pod in the place of the one before. It is accepted even if it cannot start",
        "requestBody": body(
            _RUN, {"docker_image": "echo-test", "max_duration": 30, "node": "FPGA", "command": "echo hello"}
        ),
        "responses": {
            "200": answer("Success", MESSAGE, {"message": "Docker run scheduled successfully"}),
            "400": error(
                "A field is not acceptable",
                {"error": "INVALID_FIELD", "field": "node", "message": "node: no such node: CPU"},
            ),
        },
    },
    "status": {
        "summary": "How the pod is",
        "responses": {
            "200": answer(
                "Success",
                _with_data(fields({"state": {"$ref": "#/components/schemas/State"}}, ["state"])),
                {"message": "Successfully fetched DPhi Pod status", "data": {"state": _RUNNING}},
                {"message": "Successfully fetched DPhi Pod status", "data": {"state": _NOT_PULLED}},
            )
        },
    },
}


def em_paths() -> dict[str, Any]:
    """The paths of the sign-in and of the EM. Those beside the specification's own are marked as deprecated."""
    paths: dict[str, Any] = {
        "/auth/": {"post": _sign_in("sign in", ["username", "password"], ["access", "refresh"])},
        "/auth/refresh": {"post": _sign_in("a new access token", ["refresh"], ["access"])},
    }
    for route in ROUTES:
        for number, path in enumerate(route.paths):
            operation = {**_OPERATIONS[route.name], "tags": ["EM"], "security": [{"bearer": []}]}
            operation["operationId"] = f"{route.name}-{number + 1}" if number else route.name
            operation["responses"] = _answers(operation, is_write=route.method == "POST")
            if number:
                operation["deprecated"] = True
            paths[path] = {route.method.lower(): operation}
    return paths


def _answers(operation: dict[str, Any], *, is_write: bool) -> dict[str, Any]:
    common = {"400": BAD_REQUEST, "401": NOT_SIGNED_IN, "423": LOCKED, "500": FAILED}
    common |= {"408": STALLED, "415": WRONG_TYPE} if is_write else {"403": REFUSED}
    return dict(sorted((common | operation["responses"]).items()))


def _sign_in(summary: str, given: list[str], got: list[str]) -> dict[str, Any]:
    schema = fields(dict.fromkeys(given, NEEDED_TEXT), given)
    tokens = fields(dict.fromkeys(got, TEXT), got)
    return {
        "tags": ["sign-in"],
        "operationId": "-".join(summary.split()),
        "summary": summary.capitalize(),
        "security": [],
        "requestBody": body(schema, dict.fromkeys(given, "…")),
        "responses": {
            "200": answer("Tokens, each a JWT", tokens, dict.fromkeys(got, "eyJ…")),
            "400": BAD_REQUEST,
            "401": NOT_SIGNED_IN,
            "403": REFUSED,
            "408": STALLED,
            "415": WRONG_TYPE,
            "429": error("Too many sign-ins at once", {"error": "TOO_MANY_REQUESTS", "message": "…"}),
            "500": FAILED,
        },
    }
