"""The protos, the committed stubs and the service config say the same, and the protos keep the
rules that buf cannot check."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FieldOptions,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from zaiko.v1 import options_pb2

PROTO = Path(__file__).resolve().parents[2] / "proto"
SOURCES = sorted(path.relative_to(PROTO).as_posix() for path in (PROTO / "zaiko").rglob("*.proto"))
SERVICE_SOURCES = [path for path in SOURCES if path.endswith("_service.proto")]

# Neither belongs to one merchant, so there is no revision to answer.
WITHOUT_REVISION = {"ListMerchantsResponse", "ListConnectorsResponse", "GetConnectorResponse"} | {
    f"{verb}Response" for verb in ("CreateToken", "GetToken", "ListTokens", "RevokeToken")
}

# Their comments say why.
WITHOUT_REQUEST_ID = {
    "zaiko.v1.TokenService/CreateToken",
    "zaiko.v1.TokenService/RevokeToken",
    "zaiko.v1.StockService/StreamMovements",
}

# Reserved in Go, Java, Python or TypeScript, and thus awkward as a field there.
KEYWORDS = set(
    """
    abstract and as assert async await bool boolean break byte case catch chan char class const continue
    debugger declare def default defer del delete do double elif else enum except export extends false final
    finally float for from func function global go goto if implements import in instanceof int interface is
    lambda let long map module namespace native new nil none nonlocal not null or package pass print private
    protected public raise range record require return select self short static strictfp string struct super
    switch synchronized this throw throws transient true try type typeof undefined var void volatile while with
    yield
    """.split()  # noqa: E501, SIM905
)


@dataclass
class Api:
    """The compiled protos, with the comment of every field by its full name."""

    files: dict[str, FileDescriptorProto] = field(default_factory=dict)
    messages: dict[str, DescriptorProto] = field(default_factory=dict)
    enums: dict[str, EnumDescriptorProto] = field(default_factory=dict)
    field_comments: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> Iterator[ServiceDescriptorProto]:
        for file in self.files.values():
            yield from file.service

    @property
    def methods(self) -> dict[str, MethodDescriptorProto]:
        return {
            f"zaiko.v1.{service.name}/{method.name}": method
            for service in self.services
            for method in service.method
        }

    def message(self, type_name: str) -> DescriptorProto:
        return self.messages[type_name.removeprefix(".")]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    output = tmp_path_factory.mktemp("protos") / "set.binpb"
    options = [f"--proto_path={PROTO}", f"--descriptor_set_out={output}", "--include_source_info"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *SOURCES], check=True)
    result = Api()
    for file in FileDescriptorSet.FromString(output.read_bytes()).file:
        comments = {
            tuple(place.path): place.leading_comments for place in file.source_code_info.location
        }
        result.files[file.name] = file
        result.enums |= {f"{file.package}.{enum.name}": enum for enum in file.enum_type}
        for index, message in enumerate(file.message_type):
            _collect(result, message, file.package, (4, index), comments)
    return result


def _collect(
    result: Api,
    message: DescriptorProto,
    scope: str,
    path: tuple[int, ...],
    comments: dict[tuple[int, ...], str],
) -> None:
    name = f"{scope}.{message.name}"
    result.messages[name] = message
    result.enums |= {f"{name}.{enum.name}": enum for enum in message.enum_type}
    for index, entry in enumerate(message.field):
        result.field_comments[f"{name}.{entry.name}"] = comments.get((*path, 2, index), "").strip()
        if entry.HasField("oneof_index") and not entry.proto3_optional:
            # A choice is described as a whole: its fields only say what each of them means.
            result.field_comments[f"{name}.{entry.name}"] = comments.get(
                (*path, 8, entry.oneof_index), ""
            ).strip()
    for index, nested in enumerate(message.nested_type):
        _collect(result, nested, name, (*path, 3, index), comments)


def _stub(source: str, suffix: str) -> ModuleType:
    return importlib.import_module(source.removesuffix(".proto").replace("/", ".") + suffix)


def _without_json_names(message: DescriptorProto) -> None:
    for entry in (*message.field, *message.extension):
        entry.ClearField("json_name")
    for nested in message.nested_type:
        _without_json_names(nested)


# The stubs are what the protos say.


@pytest.mark.parametrize("source", SOURCES)
def test_committed_stubs_describe_the_proto(api: Api, source: str) -> None:
    expected, actual = FileDescriptorProto(), FileDescriptorProto()
    expected.CopyFrom(api.files[source])
    expected.ClearField("source_code_info")
    _stub(source, "_pb2").DESCRIPTOR.CopyToProto(actual)
    for file in (expected, actual):
        for message in file.message_type:
            _without_json_names(message)
        for entry in file.extension:
            entry.ClearField("json_name")

    assert actual == expected, f"stale: run proto/generate ({source})"


@pytest.mark.parametrize("source", SERVICE_SOURCES)
def test_committed_grpc_stubs_offer_every_method(api: Api, source: str) -> None:
    class Recorder:
        """Takes the place of a channel and notes which methods a stub asks for, and how they
        stream."""

        def __init__(self) -> None:
            self.asked: set[tuple[str, bool, bool]] = set()

        def _note(self, client_streams: bool, server_streams: bool) -> Callable[..., None]:
            return lambda path, **_: self.asked.add((path, client_streams, server_streams))

        def __getattr__(self, name: str) -> Any:
            client, _, server = name.partition("_")
            return self._note(client == "stream", server == "stream")

    stubs = _stub(source, "_pb2_grpc")
    for service in api.files[source].service:
        recorder = Recorder()
        getattr(stubs, f"{service.name}Stub")(recorder)
        offered = {
            name
            for name in vars(getattr(stubs, f"{service.name}Servicer"))
            if not name.startswith("_")
        }

        assert recorder.asked == {
            (
                f"/zaiko.v1.{service.name}/{method.name}",
                method.client_streaming,
                method.server_streaming,
            )
            for method in service.method
        }, "stale: run proto/generate"
        assert offered == {method.name for method in service.method}, "stale: run proto/generate"


def test_there_is_a_typed_stub_for_every_proto_and_no_other() -> None:
    wanted = {
        source.removesuffix(".proto") + f"_pb2.{kind}"
        for source in SOURCES
        for kind in ("py", "pyi")
    }
    wanted |= {
        source.removesuffix(".proto") + f"_pb2_grpc.{kind}"
        for source in SERVICE_SOURCES
        for kind in ("py", "pyi")
    }
    wanted |= {"zaiko/__init__.py", "zaiko/v1/__init__.py", "zaiko/py.typed"}
    root = PROTO / "gen" / "python"
    files = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert files == wanted, "run proto/generate"


def test_stubs_import_without_warnings() -> None:
    modules = [source.removesuffix(".proto").replace("/", ".") + "_pb2" for source in SOURCES]
    modules += [
        source.removesuffix(".proto").replace("/", ".") + "_pb2_grpc" for source in SERVICE_SOURCES
    ]
    program = (
        f"import sys; sys.path.insert(0, {str(PROTO / 'gen' / 'python')!r}); import "
        f"{', '.join(modules)}"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


# The rules of proto/README.md that buf does not know. (buf checks that everything has a comment,
# and the names.)


def test_protos_import_only_well_known_types_and_each_other(api: Api) -> None:
    imported = {name for file in api.files.values() for name in file.dependency}

    assert [
        name for name in imported if not name.startswith(("google/protobuf/", "zaiko/v1/"))
    ] == []


def test_fields_a_client_may_send_say_whether_they_are_required(api: Api) -> None:
    unclear, todo, seen = [], [method.input_type for method in api.methods.values()], set[str]()
    while todo:
        name = todo.pop().removeprefix(".")
        if name in seen or name.startswith("google."):
            continue
        seen.add(name)
        message = api.messages[name]
        if message.options.map_entry:
            continue
        for entry in message.field:
            comment = api.field_comments[f"{name}.{entry.name}"]
            if not comment.startswith(("Required. ", "Optional. ", "Output only. ")):
                unclear.append(f"{name}.{entry.name}: {comment}")
            elif entry.type == FieldDescriptorProto.TYPE_MESSAGE and not comment.startswith(
                "Output only. "
            ):
                todo.append(entry.type_name)

    assert unclear == []


def test_comments_and_rules_of_a_field_agree(api: Api) -> None:
    differing = []
    for name, entry in _fields_a_client_may_send(api):
        comment, declared = api.field_comments[name], entry.options.Extensions[options_pb2.rules]
        is_list = entry.label == FieldDescriptorProto.LABEL_REPEATED
        required = declared.min_items > 0 if is_list else declared.required
        if declared.use == options_pb2.FieldRules.USE_OUTPUT_ONLY:
            said = comment.startswith("Output only. ")
        elif declared.use == options_pb2.FieldRules.USE_UPDATE_ONLY:
            said = comment.startswith(("Output only. ", "Optional. "))
        elif required and not entry.HasField("oneof_index"):
            said = comment.startswith("Required. ")
        else:
            said = not comment.startswith("Output only. ")
        if not said:
            differing.append(f"{name}: {comment}")

    assert differing == []


def test_whatever_a_client_may_send_of_any_size_has_a_bound(api: Api) -> None:
    boundless = []
    for name, entry in _fields_a_client_may_send(api):
        declared = entry.options.Extensions[options_pb2.rules]
        if declared.use == options_pb2.FieldRules.USE_OUTPUT_ONLY:
            continue
        if entry.label == FieldDescriptorProto.LABEL_REPEATED and not (
            declared.max_items or declared.max_pairs
        ):
            boundless.append(name)
        if entry.type == FieldDescriptorProto.TYPE_STRING and not (
            declared.max_len or declared.name or declared.chosen_id or declared.uuid
        ):
            boundless.append(name)
        if entry.type in {
            FieldDescriptorProto.TYPE_INT32,
            FieldDescriptorProto.TYPE_INT64,
        } and not (declared.HasField("min")):
            boundless.append(name)

    assert boundless == []


def _fields_a_client_may_send(api: Api) -> Iterator[tuple[str, FieldDescriptorProto]]:
    """Yield every field of every request, and of what it holds, with its full name."""
    todo, seen = [method.input_type for method in api.methods.values()], set[str]()
    while todo:
        name = todo.pop().removeprefix(".")
        if name in seen or name.startswith("google.") or api.messages[name].options.map_entry:
            continue
        seen.add(name)
        for entry in api.messages[name].field:
            yield f"{name}.{entry.name}", entry
            use = entry.options.Extensions[options_pb2.rules].use
            is_message = entry.type == FieldDescriptorProto.TYPE_MESSAGE
            if is_message and use != options_pb2.FieldRules.USE_OUTPUT_ONLY:
                todo.append(entry.type_name)


def test_optional_numbers_and_switches_state_their_default(api: Api) -> None:
    # Where presence is not tracked, the default is what the zero means.
    numbers = {FieldDescriptorProto.TYPE_INT32, FieldDescriptorProto.TYPE_BOOL}
    silent = []
    for name, message in api.messages.items():
        if not name.removeprefix("zaiko.v1.").partition(".")[0].endswith("Request"):
            continue
        for entry in message.field:
            comment = api.field_comments[f"{name}.{entry.name}"]
            asked = (
                entry.type in numbers
                and entry.name != "page_size"
                and comment.startswith("Optional. ")
            )
            if asked and not re.search(r"[Dd]efault|unset = |False = ", comment):
                silent.append(f"{name}.{entry.name}: {comment}")

    assert silent == []


def test_no_field_is_a_keyword_of_a_client_language(api: Api) -> None:
    names = {
        f"{name}.{entry.name}" for name, message in api.messages.items() for entry in message.field
    }
    names |= {
        f"{name}.{entry.name}"
        for name, message in api.messages.items()
        for entry in message.oneof_decl
    }
    map_entries = {name for name, message in api.messages.items() if message.options.map_entry}

    assert [
        name
        for name in names
        if name.rpartition(".")[2] in KEYWORDS and name.rpartition(".")[0] not in map_entries
    ] == []


def test_no_message_or_enum_shares_its_name_with_a_choice_beside_it(api: Api) -> None:
    # Go names both `Message_Name`, and then renames one of them.
    clashes: list[str] = []
    for name, message in api.messages.items():
        nested = {kind.name.lower() for kind in message.nested_type} | {
            kind.name.lower() for kind in message.enum_type
        }
        choices = (
            entry.name
            for entry in message.field
            if entry.HasField("oneof_index") and not entry.proto3_optional
        )
        clashes += (f"{name}.{choice}" for choice in choices if choice.replace("_", "") in nested)

    assert clashes == []


def test_numbers_of_64_bits_are_strings_in_javascript(api: Api) -> None:
    wide = {
        f"{name}.{entry.name}": entry.options.jstype == FieldOptions.JS_STRING
        for name, message in api.messages.items()
        for entry in message.field
        if entry.type in {FieldDescriptorProto.TYPE_INT64, FieldDescriptorProto.TYPE_UINT64}
    }

    assert wide
    assert all(wide.values())


def test_mutations_take_a_request_id_and_reads_do_not(api: Api) -> None:
    for name, method in api.methods.items():
        verb = name.partition("/")[2]
        reads = (
            verb.startswith(("Get", "BatchGet", "List", "Watch", "Wait", "Explain", "Preview"))
            or verb == "CheckShop"
        )
        fields = {entry.name for entry in api.message(method.input_type).field}

        assert ("request_id" in fields) == (not reads and name not in WITHOUT_REQUEST_ID), name


def test_unary_responses_tell_their_revision(api: Api) -> None:
    responses = {
        method.output_type for method in api.methods.values() if not method.server_streaming
    }
    silent = {
        api.message(name).name
        for name in responses
        if "revision" not in {entry.name for entry in api.message(name).field}
    }

    assert silent == WITHOUT_REVISION


def test_lists_are_paged(api: Api) -> None:
    for name, method in api.methods.items():
        if name.partition("/")[2].startswith("List"):
            asked = {entry.name for entry in api.message(method.input_type).field}
            told = {entry.name for entry in api.message(method.output_type).field}

            assert {"page_size", "page_token"} <= asked, name
            assert "next_page_token" in told, name


def test_watches_start_and_resume_alike(api: Api) -> None:
    # WatchOperation follows one thing to its end, and has nothing to resume.
    watches = {
        name: method
        for name, method in api.methods.items()
        if method.server_streaming and not method.client_streaming
    }
    del watches["zaiko.v1.OperationService/WatchOperation"]
    for name, method in watches.items():
        starts = {entry.name: entry.type_name for entry in api.message(method.input_type).field}
        answers = {entry.name: entry.type_name for entry in api.message(method.output_type).field}

        assert starts["start"] == ".zaiko.v1.WatchStart", name
        assert answers["bookmark"] == ".zaiko.v1.WatchBookmark", name
        assert {"changes", "resume_token"} <= answers.keys(), name
        changes = {entry.name for entry in api.message(answers["changes"]).field}
        assert {"revision", "deleted_names", "continued"} <= changes, name
    assert set(watches) == {"zaiko.v1.StockService/WatchStocks", "zaiko.v1.SyncService/WatchSync"}


# The shipped deadlines and retries.


def test_service_config_names_every_method_once(api: Api) -> None:
    config = json.loads((PROTO / "zaiko" / "v1" / "service_config.json").read_text())
    named = [
        f"{name['service']}/{name['method']}"
        for part in config["methodConfig"]
        for name in part["name"]
    ]

    assert sorted(named) == sorted(api.methods)


def test_service_config_gives_deadlines_to_all_but_streams_and_retries_only_what_was_not_done(
    api: Api,
) -> None:
    config = json.loads((PROTO / "zaiko" / "v1" / "service_config.json").read_text())
    for part in config["methodConfig"]:
        for name in part["name"]:
            method = api.methods[f"{name['service']}/{name['method']}"]
            assert ("timeout" in part) == (not method.server_streaming), name
        assert part.get("retryPolicy", {}).get("retryableStatusCodes", ["UNAVAILABLE"]) == [
            "UNAVAILABLE"
        ]
