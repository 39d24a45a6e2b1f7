"""A change of the contract that would break a caller is found."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from servicekit import contract
from tools.checks.commands import IMAGE, breaking
from tools.checks.sources import ROOT


def _mutated(mutate: str) -> bytes:
    image = descriptor_pb2.FileDescriptorSet()
    image.CopyFrom(contract.image())
    file = next(file for file in image.file if file.name == "comptoir/booking/v1/booking.proto")
    message = next(each for each in file.message_type if each.name == "Booking")
    if mutate == "removed field":
        message.field.add(name="gone", number=99).CopyFrom(message.field[0])
        message.field[-1].name, message.field[-1].number, message.field[-1].json_name = "gone", 99, "gone"
    if mutate == "changed type":
        message.field[4].type = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    if mutate == "removed rpc":
        file.service[0].method.add(name="Gone").CopyFrom(file.service[0].method[0])
        file.service[0].method[-1].name = "Gone"
    return image.SerializeToString()


@pytest.mark.parametrize("mutate", ["removed field", "changed type", "removed rpc"])
def test_a_breaking_change_is_found(mutate: str) -> None:
    assert breaking(ROOT / IMAGE, _mutated(mutate))


def test_the_same_contract_breaks_nobody(tmp_path: Path) -> None:
    assert breaking(ROOT / IMAGE, contract.image().SerializeToString()) == []
