"""What gRPC costs in Python without zaiko: a grpc.aio server whose handlers have their answers ready.

    python -m benchmarks.speed.bare_server --port-file FILE --method PATH:TYPE:HEX …

A unary method answers each request with the message TYPE (of zaiko.v1) that HEX is; request and answer are parsed and serialised
for each call, as every server must. No interceptors, no validation, no store.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
from pathlib import Path
from typing import Any

import grpc


def handler(method: str) -> tuple[str, str, Any]:
    """Service, name and handler of one `PATH:MODULE:TYPE:HEX`, where the request's type ends in Request."""
    path, module, kind, text = method.split(":")
    messages = importlib.import_module(f"zaiko.v1.{module}")
    answer_type, request_type = getattr(messages, kind), getattr(messages, kind.removesuffix("Response") + "Request")
    answer = answer_type.FromString(bytes.fromhex(text))

    async def reply(request: Any, context: Any) -> Any:
        return answer

    service, name = path.strip("/").split("/")
    made = grpc.unary_unary_rpc_method_handler(
        reply, request_deserializer=request_type.FromString, response_serializer=answer_type.SerializeToString
    )
    return service, name, made


async def serve(methods: list[str], port_file: Path) -> None:
    """Until killed."""
    server = grpc.aio.server()
    for method in methods:
        service, name, made = handler(method)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: made}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    half = port_file.with_name("half")
    half.write_text(f"127.0.0.1:{port}")
    half.rename(port_file)
    await server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--method", action="append", default=[])
    options = parser.parse_args()
    asyncio.run(serve(options.method, options.port_file))
