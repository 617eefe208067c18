"""The published documents, as texts by file name."""

import json
from typing import Any

import msgspec
import yaml

from contracts import codec, dispatch, topology
from contracts.envelope import BATCH_CONTENT_TYPE, Event
from deploy.contracts.metrics import metrics_page
from deploy.contracts.openapi import openapi_documents
from deploy.contracts.samples import sample

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """Return every generated file: its path below ``contracts/published`` and its text."""
    texts = {"asyncapi.yaml": _asyncapi(), "metrics.md": metrics_page()}
    for type_name in codec.TYPES:
        texts[f"schemas/{type_name}.json"] = _json(schema(type_name))
        texts[f"samples/{type_name}.json"] = _json(
            msgspec.json.decode(codec.encode([sample(type_name)]))
        )
    for service, document in openapi_documents().items():
        texts[f"openapi/{service}.json"] = _json(document)
    return texts


def schema(type_name: str) -> dict[str, Any]:
    """Return the JSON Schema of one event of ``type_name``, complete in itself."""
    struct = codec.TYPES[type_name]
    (reference,), definitions = msgspec.json.schema_components(
        [Event[struct]],  # type: ignore[valid-type]
        ref_template="#/$defs/{name}",
    )
    envelope = definitions.pop(reference["$ref"].rsplit("/", 1)[1])
    envelope["properties"]["type"] = {"const": type_name}
    envelope["properties"]["specversion"] = {"const": "1.0"}
    return {
        "$schema": _DIALECT,
        "$id": f"urn:jubilee:schema:{type_name}",
        **envelope,
        "title": type_name,
        "description": struct.__doc__,
        "$defs": definitions,
    }


def _asyncapi() -> str:
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Jubilee messages",
            "version": "1.0.0",
            "description": (
                "Each message is a CloudEvents 1.0.2 batch of one type. Delivery is at least once"
                " and in no particular order: keep the highest version per person, the highest"
                " release per occurrence, and ignore the rest. To subscribe, bind a durable quorum"
                f" queue of your own to the topic exchange {topology.EVENTS}."
            ),
        },
        "defaultContentType": BATCH_CONTENT_TYPE,
        "channels": {type_name: _channel(type_name) for type_name in codec.TYPES},
        "operations": {
            f"publish.{type_name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{type_name}"},
            }
            for type_name in codec.TYPES
        },
        "components": {
            "messages": {type_name: _message(type_name) for type_name in codec.TYPES},
        },
    }
    return yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _channel(type_name: str) -> dict[str, Any]:
    is_command = type_name == dispatch.DISPATCH_REQUESTED
    return {
        "address": type_name,
        "messages": {"batch": {"$ref": f"#/components/messages/{type_name}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": topology.COMMANDS if is_command else topology.EVENTS,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
            }
        },
    }


def _message(type_name: str) -> dict[str, Any]:
    return {
        "name": type_name,
        "contentType": BATCH_CONTENT_TYPE,
        "summary": (codec.TYPES[type_name].__doc__ or type_name).splitlines()[0],
        "headers": {
            "type": "object",
            "properties": {
                "items": {"type": "string", "description": "How many events the batch holds."},
                "traceparent": {"type": "string", "description": "W3C trace context."},
            },
        },
        "payload": {
            "type": "array",
            "minItems": 1,
            "maxItems": 500,
            "items": {"$ref": f"schemas/{type_name}.json"},
        },
        "examples": [
            {"name": "one event", "payload": msgspec.json.decode(codec.encode([sample(type_name)]))}
        ],
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
