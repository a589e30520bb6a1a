"""What the document's operations are made of: answers, bodies, and the shapes that many of them share."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"

COMPONENTS: dict[str, Any] = {
    "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
    "schemas": {
        "Error": {
            "type": "object",
            "required": ["error", "message"],
            "properties": {
                "error": {"type": "string", "description": "The kind, for programs"},
                "message": {"type": "string", "description": "What happened, for people"},
                "remedy": {"type": "string", "description": "What can be done about it"},
                "field": {"type": "string", "description": "The field that is wrong"},
                "detail": {"type": "string", "description": "Of a 401: the message again"},
                "log_tail": {"type": "array", "items": {"type": "string"}, "description": "The log's last 100 lines"},
            },
        },
        "Message": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
        "FileNode": {
            "type": "object",
            "required": ["type", "name", "size", "time"],
            "properties": {
                "type": {"type": "string", "enum": ["file", "directory", "link", "other"]},
                "name": {"type": "string"},
                "size": {"type": "string", "pattern": "^[0-9]+$", "description": "Bytes; of a directory their sum"},
                "time": {
                    "type": "string",
                    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}$",
                    "description": "UTC",
                },
                "hash": {"type": "integer", "format": "int64", "description": "Changes when the content does"},
                "contents": {"type": "array", "items": {"$ref": "#/components/schemas/FileNode"}},
            },
        },
        "Image": {
            "type": "object",
            "required": ["repository", "tag", "id", "created", "size"],
            "properties": {name: {"type": "string"} for name in ("repository", "tag", "id", "created", "size")},
        },
        "State": {
            "type": "object",
            "description": "A Kubernetes ContainerState; empty before any run",
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {
                "waiting": {
                    "type": "object",
                    "properties": {"reason": {"type": "string"}, "message": {"type": "string"}},
                },
                "running": {
                    "type": "object",
                    "required": ["startedAt"],
                    "properties": {
                        "startedAt": {"type": "string", "format": "date-time"},
                        "message": {"type": "string"},
                    },
                },
                "terminated": {
                    "type": "object",
                    "required": ["exitCode"],
                    "properties": {
                        "exitCode": {"type": "integer"},
                        "reason": {"type": "string"},
                        "message": {"type": "string"},
                        "startedAt": {"type": "string", "format": "date-time"},
                        "finishedAt": {"type": "string", "format": "date-time"},
                    },
                },
            },
        },
    },
}

ERROR: Schema = {"$ref": "#/components/schemas/Error"}
MESSAGE: Schema = {"$ref": "#/components/schemas/Message"}
TEXT: Schema = {"type": "string"}
NEEDED_TEXT: Schema = {"type": "string", "minLength": 1}
OPTIONAL_TEXT: Schema = {"type": "string", "nullable": True}


def answer(description: str, schema: Schema, *examples: object) -> dict[str, Any]:
    """An answer of JSON."""
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = {f"example-{number}": {"value": value} for number, value in enumerate(examples, 1)}
    return {"description": description, "content": {JSON: content}}


def error(description: str, *examples: object) -> dict[str, Any]:
    """An answer that is an error."""
    return answer(description, ERROR, *examples)


def fields(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """An object of named fields."""
    schema: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return schema


def body(schema: Schema, example: object, media_types: Sequence[str] = (JSON, FORM, PARTS)) -> dict[str, Any]:
    """A body, in each of the types that it is read in."""
    content = {
        media_type: {"schema": schema if media_type == JSON else _as_form(schema), "example": example}
        for media_type in media_types
    }
    return {"required": True, "content": content}


def _as_form(schema: Schema) -> Schema:
    """The same fields in a form, where everything is text, whatever it was before."""
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {name: _form_field(field) for name, field in schema["properties"].items()}
    if "anyOf" in schema:
        made["anyOf"] = [_as_form(each) for each in schema["anyOf"]]
    return made


def _form_field(schema: Schema) -> Schema:
    is_text = schema.get("type") == "string" and "enum" not in schema
    return {"description": schema.get("description", "Text")} if is_text or schema.get("nullable") else schema


NOT_SIGNED_IN = {
    **error(
        "No token, or one that is not accepted",
        {
            "error": "NOT_SIGNED_IN",
            "message": "Authentication credentials were not provided.",
            "detail": "Authentication credentials were not provided.",
            "remedy": "Sign in again.",
        },
    ),
    "headers": {"WWW-Authenticate": {"schema": TEXT, "required": True}},
}
LOCKED = error(
    "If CG2 is busy. Nothing was executed",
    {"error": "LOCKED", "message": "CG2 is busy", "remedy": "Try again in a moment."},
)
FAILED = error("Server side error", {"error": "INTERNAL_ERROR", "message": "the server failed inside"})
REFUSED = error("A host or a page that may not use this server", {"error": "FORBIDDEN", "message": "this name is …"})
STALLED = error("Nothing of the body came any more", {"error": "REQUEST_TIMEOUT", "message": "nothing came any more"})
WRONG_TYPE = error("A body that is neither JSON nor a form", {"error": "UNSUPPORTED_MEDIA_TYPE", "message": "…"})
BAD_REQUEST = error("A field or the body is wrong", {"error": "BAD_REQUEST", "message": "the body is not JSON: …"})
