"""Generates libs/protos from proto/ without network: messages, stubs, types and the descriptor image."""

import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
GENERATED = ROOT / "libs" / "protos"
IMAGE = Path("comptoir") / "contract.binpb"
PACKAGES = ("comptoir", "buf")

# protovalidate's wheel carries the rules only as a descriptor, googleapis-common-protos its own as modules.
_RULES = "buf/validate/validate.proto"
_FOREIGN_MODULES = (
    "google.protobuf.descriptor_pb2",
    "google.protobuf.duration_pb2",
    "google.protobuf.timestamp_pb2",
    "google.protobuf.field_mask_pb2",
    "google.protobuf.any_pb2",
    "google.api.http_pb2",
    "google.api.annotations_pb2",
    "google.api.httpbody_pb2",
)


def update() -> None:
    """Brings libs/protos up to date, touching only what changed: others may be importing it."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        wanted = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
        for name in wanted:
            target = GENERATED / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != (fresh / name).read_bytes():
                shutil.copyfile(fresh / name, target)
        for package in PACKAGES:
            for path in (GENERATED / package).rglob("*"):
                stale = path.is_file() and "__pycache__" not in path.parts
                if stale and path.relative_to(GENERATED) not in wanted:
                    path.unlink()


def generate(target: Path) -> None:
    """Writes the generated packages below the empty folder `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        foreign = Path(scratch) / "foreign.binpb"
        foreign.write_bytes(_foreign_descriptors().SerializeToString())
        own = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
        _protoc(foreign, [f"--python_out={target}", f"--mypy_out=quiet:{target}", _RULES])
        outputs = [
            f"--python_out={target}",
            f"--mypy_out=quiet:{target}",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out=quiet:{target}",
        ]
        _protoc(foreign, [*outputs, *own])
        image = target / IMAGE
        _protoc(
            foreign, ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}", *own]
        )
    for folder in {path.parent for package in PACKAGES for path in (target / package).rglob("*.py")}:
        _mark_packages(folder, target)
    (target / "comptoir" / "py.typed").touch()
    _drop_empty_grpc(target)


def _foreign_descriptors() -> descriptor_pb2.FileDescriptorSet:
    files = descriptor_pb2.FileDescriptorSet()
    for name in _FOREIGN_MODULES:
        import_module(name).DESCRIPTOR.CopyToProto(files.file.add())
    rules = import_module("protovalidate._gen.buf.validate.validate_pb")
    files.file.append(descriptor_pb2.FileDescriptorProto.FromString(rules._DESC.proto.to_binary()))  # noqa: SLF001
    return files


def _protoc(foreign: Path, arguments: list[str]) -> None:
    plugins = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--descriptor_set_in={foreign}",
        f"--proto_path={PROTO}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        *arguments,
    ]
    subprocess.run(command, check=True, cwd=ROOT)


def _mark_packages(folder: Path, target: Path) -> None:
    while folder != target:
        (folder / "__init__.py").touch()
        folder = folder.parent


def _drop_empty_grpc(target: Path) -> None:
    """A proto without a service still gets a _pb2_grpc module; nothing imports it."""
    for path in target.rglob("*_pb2_grpc.py"):
        if "class " not in path.read_text(encoding="utf-8"):
            path.unlink()
            path.with_suffix(".pyi").unlink(missing_ok=True)
