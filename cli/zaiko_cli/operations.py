"""Long-running work: bulk linking, reading a catalogue."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from zaiko.v1 import operation_pb2, operation_service_pb2

from zaiko_cli.command import Command
from zaiko_cli.failure import Failed
from zaiko_cli.show import console, last, trouble, word

operations = typer.Typer(
    no_args_is_help=True, help="Long-running work: bulk linking, reading a catalogue."
)

Operation = Annotated[str, typer.Argument(help="Its id.")]


def follow(command: Command, operation: operation_pb2.Operation) -> operation_pb2.Operation:
    """Wait until an operation has ended. Exits with 1 if it did not succeed."""
    done = operation
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    screen = console(stderr=True)
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        task = progress.add_task(word(operation, "kind").replace("_", " ").lower(), total=None)
        for done in command.client.wait(operation):
            total = done.progress.total if done.progress.HasField("total") else None
            progress.update(task, completed=done.progress.done, total=total)
    if done.state == operation_pb2.Operation.STATE_FAILED:
        raise Failed(trouble(done) or f"The operation {last(done.name)} failed.")
    if done.state != operation_pb2.Operation.STATE_SUCCEEDED:
        raise Failed(
            f"The operation {last(done.name)} is {word(done, 'state')}. Finished work stays."
        )
    return done


@operations.command("list")
def list_operations(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 20,
) -> None:
    """List operations, newest first."""
    command: Command = context.obj
    client = command.client
    request = operation_service_pb2.ListOperationsRequest(parent=client.parent)
    command.show.items(
        "Operations",
        ["operation", "kind", "state", "done#", "of#", "asked", "ended", "problem"],
        client.pages(client.operations.ListOperations, request, "operations", limit=limit),
        lambda o: (
            last(o.name),
            word(o, "kind"),
            word(o, "state"),
            o.progress.done,
            o.progress.total if o.progress.HasField("total") else "",
            o.create_time,
            o.end_time,
            trouble(o) if o.WhichOneof("result") == "problem" else "",
        ),
        empty="There is no operation yet.",
    )


@operations.command("get")
def get_operation(context: typer.Context, operation: Operation) -> None:
    """Show one operation."""
    command: Command = context.obj
    client = command.client
    request = operation_service_pb2.GetOperationRequest(name=client.name("operations", operation))
    _show(command, client.call(client.operations.GetOperation, request).operation)


@operations.command("wait")
def wait_operation(context: typer.Context, operation: Operation) -> None:
    """Wait until an operation has ended. Exits with 1 if it did not succeed."""
    command: Command = context.obj
    client = command.client
    request = operation_service_pb2.GetOperationRequest(name=client.name("operations", operation))
    _show(command, follow(command, client.call(client.operations.GetOperation, request).operation))


@operations.command("watch")
def watch_operation(context: typer.Context, operation: Operation) -> None:
    """Print each change of an operation until it has ended. Exits with 1 if it did not succeed."""
    command: Command = context.obj
    client, show = command.client, command.show
    done = operation_pb2.Operation()
    for done in client.watch_operation(client.name("operations", operation)):
        if show.as_json:
            # One document a line, flushed, so that a pipe gets each when it happens.
            text = MessageToDict(done, preserving_proto_field_name=True)
            print(json.dumps(text, ensure_ascii=False), flush=True)
        else:
            print(f"{word(done, 'state')} {_progress(done)}", flush=True)
    if done.state != operation_pb2.Operation.STATE_SUCCEEDED:
        raise Failed(trouble(done) or f"The operation is {word(done, 'state')}.")


@operations.command("cancel")
def cancel_operation(context: typer.Context, operation: Operation) -> None:
    """Ask an operation to stop. Finished work stays."""
    command: Command = context.obj
    client = command.client
    request = operation_service_pb2.CancelOperationRequest(
        name=client.name("operations", operation)
    )
    _show(command, client.call(client.operations.CancelOperation, request).operation)


def _show(command: Command, operation: operation_pb2.Operation) -> None:
    command.show.item(
        operation,
        [
            ("operation", last(operation.name)),
            ("kind", word(operation, "kind")),
            ("state", word(operation, "state")),
            ("done", _progress(operation)),
            ("asked", operation.create_time),
            ("ended", operation.end_time),
            ("problem", trouble(operation) if operation.WhichOneof("result") == "problem" else ""),
        ],
    )


def _progress(operation: operation_pb2.Operation) -> str:
    progress = operation.progress
    total = f" of {progress.total}" if progress.HasField("total") else ""
    return f"{progress.done}{total} {progress.unit}".strip()
