"""Measure what gRPC costs in Python without zaiko: a grpc.aio server with prepared answers, which
it reads from a JSON file.

    python -m benchmarks.speed.bare_server --port-file FILE --answers FILE

The file maps a method's path to the module and type of its answers (in zaiko.v1; the request's type
ends in Request) and to the answers in hex. A unary method answers each request with the first one.
A streaming method sends the first at once, and the others as fast as the client reads them, once a
file exists that is named like the answers' file with `.go` appended. Messages are parsed and
serialized for each call, as in every server. There are no interceptors, no validation and no store.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc


def handler(method_answers: dict[str, Any], go: Path) -> Any:
    """Return the handler of one method."""
    messages = importlib.import_module(f"zaiko.v1.{method_answers['module']}")
    answer_type = getattr(messages, method_answers["type"])
    request_type = getattr(messages, method_answers["type"].removesuffix("Response") + "Request")
    answers = [answer_type.FromString(bytes.fromhex(text)) for text in method_answers["answers"]]
    codecs = {
        "request_deserializer": request_type.FromString,
        "response_serializer": answer_type.SerializeToString,
    }

    async def reply(request: Any, context: Any) -> Any:
        return answers[0]

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answers[0]
        # A file is all that the two processes share.
        while not go.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.05)
        for answer in answers[1:]:
            yield answer

    if method_answers["streams"]:
        return grpc.unary_stream_rpc_method_handler(stream, **codecs)
    return grpc.unary_unary_rpc_method_handler(reply, **codecs)


async def serve(answers: dict[str, Any], go: Path, port_file: Path) -> None:
    """Serve until the process is killed."""
    server = grpc.aio.server()
    for path, method_answers in answers.items():
        service, name = path.strip("/").split("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {name: handler(method_answers, go)}),)
        )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    half = port_file.with_name("half")
    half.write_text(f"127.0.0.1:{port}")
    half.rename(port_file)
    await server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(
        serve(
            json.loads(options.answers.read_text()),
            options.answers.with_suffix(".go"),
            options.port_file,
        )
    )
