"""The Grid Node API in the document: the specification's events as paths, and the other names seen in the field."""

from typing import Any

from emtui.server.description.parts import (
    FAILED,
    FORM,
    JSON,
    NEEDED_TEXT,
    NOT_SIGNED_IN,
    PARTS,
    TEXT,
    Schema,
    answer,
    body,
    fields,
)

_TEXTS: Schema = {"type": "array", "items": TEXT}
_REFUSAL: Schema = fields({"success": {"type": "boolean"}, "error": TEXT, "message": TEXT})
_STATEMENT: Schema = {
    "description": "True or False, also as text; not given is False",
    "nullable": True,
    "anyOf": [
        {"type": "boolean"},
        {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)?$"},
    ],
}
_MODEL_ID = {"name": "model_id", "in": "path", "required": True, "schema": NEEDED_TEXT}
_SERVED = fields(
    {
        "model_id": NEEDED_TEXT,
        "model": {"type": "string", "description": "The model's bytes as text of `encoding`, or as a file"},
        "encoding": {"type": "string", "nullable": True, "default": "ISO-8859-1"},
        "allow_download": _STATEMENT,
        "allow_remote_inference": _STATEMENT,
    },
    ["model_id", "model"],
)


def _refusal(description: str, *examples: object) -> dict[str, Any]:
    return answer(description, _REFUSAL, *examples)


_CALLS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "models": (
        "get",
        ("/models", "/models/"),
        {
            "summary": "The ids of the hosted models",
            "responses": {
                "200": answer(
                    "Success",
                    fields(
                        {
                            "success": {"type": "boolean"},
                            "models": _TEXTS,
                            "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
                        },
                        ["success", "models"],
                    ),
                    {"success": True, "models": ["mnist-cnn"]},
                )
            },
        },
    ),
    "is_model_copy_allowed": (
        "get",
        ("/is_model_copy_allowed/{model_id}",),
        {
            "summary": "Whether the model may be downloaded",
            "parameters": [_MODEL_ID],
            "responses": {
                "200": answer(
                    "Whether it is, or why not",
                    fields({"success": {"type": "boolean"}, "error": TEXT}, ["success"]),
                    {"success": True},
                    {"success": False, "error": "You're not allowed to download this model."},
                )
            },
        },
    ),
    "get_model": (
        "get",
        ("/get_model/{model_id}",),
        {
            "summary": "Download a model. A large one comes as a form of the one field `serialized_model`",
            "parameters": [_MODEL_ID],
            "responses": {
                "200": {
                    "description": "The model's bytes as text of ISO-8859-1",
                    "content": {
                        JSON: {"schema": fields({"serialized_model": TEXT}, ["serialized_model"])},
                        PARTS: {"schema": fields({"serialized_model": TEXT}, ["serialized_model"])},
                    },
                },
                "403": _refusal("It may not", {"error": "You're not allowed to download this model."}),
                "404": _refusal("No such model", {"error": "Model not found."}),
            },
        },
    ),
    "serve_model": (
        "post",
        ("/serve_model", "/serve-model/"),
        {
            "summary": "Host a model: whole, or not at all",
            "requestBody": body(
                _SERVED, {"model_id": "mnist-cnn", "model": "…", "encoding": "ISO-8859-1", "allow_download": "True"}
            ),
            "responses": {
                "200": answer(
                    "Success",
                    fields({"success": {"type": "boolean"}, "message": TEXT}, ["success", "message"]),
                    {"success": True, "message": "Model saved with id: mnist-cnn"},
                ),
                "400": _refusal("A field is wrong", {"success": False, "message": "model: is missing"}),
                "409": _refusal("The id is taken", {"success": False, "message": "Model id already exists."}),
                "413": _refusal("Over 524,288,000 bytes", {"success": False, "message": "the model is over …"}),
            },
        },
    ),
    "dataset-tags": (
        "get",
        ("/dataset-tags",),
        {
            "summary": "The tags of the node's datasets",
            "responses": {"200": answer("Success", _TEXTS, ["#mnist", "#boston"])},
        },
    ),
    "search-encrypted-models": (
        "post",
        ("/search-encrypted-models",),
        {
            "summary": "Where an encrypted model is shared",
            "requestBody": body(
                fields({"model_id": NEEDED_TEXT}, ["model_id"]), {"model_id": "secret-cnn"}, (JSON, FORM)
            ),
            "responses": {
                "200": answer(
                    "Success",
                    fields({"workers": _TEXTS, "crypto_provider": _TEXTS}, ["workers", "crypto_provider"]),
                    {"workers": ["alice", "bob"], "crypto_provider": ["carol"]},
                ),
                "400": _refusal("No id", {"error": "Invalid payload format"}),
                "404": _refusal("No such model", {"error": "Model ID not found!"}),
            },
        },
    ),
    "search": (
        "post",
        ("/search",),
        {
            "summary": "Whether a dataset bears the tag",
            "requestBody": body(fields({"query": NEEDED_TEXT}, ["query"]), {"query": "#mnist"}, (JSON, FORM)),
            "responses": {
                "200": answer("Success", fields({"content": {"type": "boolean"}}, ["content"]), {"content": True}),
                "400": answer("No tag", {"type": "object"}, {}),
            },
        },
    ),
}


def grid_paths(*, has_auth: bool) -> dict[str, Any]:
    """The paths of the Grid Node. A token selects its user's node; without one it is the first user's."""
    paths: dict[str, Any] = {}
    for name, (method, served, operation) in _CALLS.items():
        for number, path in enumerate(served):
            answers = {"400": _refusal("A request that cannot be read"), "401": NOT_SIGNED_IN, "500": FAILED}
            answers |= {"403": _refusal("A host or a page that may not use this server"), **operation["responses"]}
            made = {
                **operation,
                "tags": ["Grid Node"],
                "operationId": f"{name}-{number + 1}" if number else name,
                "security": [{"bearer": []}] if has_auth else [],
                "responses": dict(sorted(answers.items())),
            }
            if number:
                made["deprecated"] = True
            paths[path] = {method: made}
    return paths
