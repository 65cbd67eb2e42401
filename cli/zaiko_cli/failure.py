"""Turn a refused call into a sentence with its reason, advice and exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

REFUSED, USAGE, UNREACHABLE = 1, 2, 3
"""Exit codes: the server refused, the command line was wrong, no server answered."""

_DETAILS_KEY = "grpc-status-details-bin"


class Failed(Exception):
    """The command cannot go on. The sentence is printed as it is."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.sentence, self.code = sentence, code


@dataclass(frozen=True, slots=True)
class Refused:
    """The parts of a call's error."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    violations: tuple[str, ...]

    @staticmethod
    def of(error: grpc.RpcError) -> Refused:
        """Decode the status details. An error without details does not come from a zaiko server."""
        call: Any = error
        reason, metadata, violations = "", {}, []
        for key, value in call.trailing_metadata() or ():
            if key != _DETAILS_KEY:
                continue
            for detail in status_pb2.Status.FromString(value).details:
                info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
                if detail.Unpack(info):
                    reason, metadata = info.reason, dict(info.metadata)
                elif detail.Unpack(bad):
                    violations = [
                        f"{item.field}: {item.description}" for item in bad.field_violations
                    ]
        return Refused(call.code(), reason, call.details() or "", metadata, tuple(violations))


def failed(error: grpc.RpcError, address: str) -> Failed:
    """Return the failure of a refused call to the server at `address`."""
    refused = Refused.of(error)
    if not refused.reason and refused.code is grpc.StatusCode.UNAVAILABLE:
        return Failed(_unreachable(refused.message, address), UNREACHABLE)
    if not refused.reason and refused.code is grpc.StatusCode.UNIMPLEMENTED:
        return Failed(
            f"What answers at {address} does not know this call. Is it a zaiko server, and "
            "at least as new as this command?"
        )
    if refused.reason == "TOKEN_MISSING":
        return Failed(
            f"The server at {address} needs a token: put it into ZAIKO_TOKEN, or into a "
            "file for --token-file. [TOKEN_MISSING]"
        )
    if refused.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failed(
            f"The server at {address} did not answer in time. Try again; the request "
            "may have been carried out."
        )
    message = refused.message
    if message.split(" ")[0].isalpha():
        message = message[:1].upper() + message[1:]
    if refused.violations:
        # Each begins with the name of a field, which must not be capitalised.
        message = "; ".join(refused.violations)
    return Failed(f"{message} [{refused.reason or refused.code.name}]")


def _unreachable(said: str, address: str) -> str:
    """Return advice for an unreachable server. gRPC uses one code for every cause, so its text
    decides."""
    if "WRONG_VERSION_NUMBER" in said:
        return (
            f"What answers at {address} does not speak TLS. Leave out --tls, --ca and --cert "
            "(or ZAIKO_TLS, ZAIKO_CA, ZAIKO_CERT)."
        )
    if "handshake failed" in said or "Hostname Verification" in said:
        return (
            f"The certificate that {address} shows cannot be trusted. Give the CA that issued "
            "it with --ca, and use the name in it."
        )
    if "Socket closed" in said or "reset by peer" in said or "Broken pipe" in said:
        return (
            f"The server at {address} closed the connection. If it speaks TLS, add --ca with its "
            "CA's file, or --tls; if it needs a client certificate, --cert and --key."
        )
    return (
        f"No zaiko server answers at {address}. Start one with `zaiko serve`, or name another "
        "with --address (or ZAIKO_ADDRESS)."
    )
