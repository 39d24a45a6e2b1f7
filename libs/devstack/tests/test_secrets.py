"""Secrets: made once, for this user only, and usable by what reads them."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstack.secrets import Secrets
from devstack.topology import PROGRAMS
from servicekit.identity import Caller, CallerKind, Signer, Verifier


def read_all(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_only_this_user_may_read_them(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    modes = {path.stat().st_mode & 0o777 for path in secrets.directory.iterdir()}
    assert (secrets.directory.stat().st_mode & 0o777, modes) == (0o700, {0o600})


def test_loosened_rights_are_tightened_on_the_next_start(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.access_token_key_file.chmod(0o644)
    Secrets(tmp_path)
    assert secrets.access_token_key_file.stat().st_mode & 0o777 == 0o600


def test_they_stay_the_same_over_starts(tmp_path: Path) -> None:
    first = read_all(Secrets(tmp_path).directory)
    assert read_all(Secrets(tmp_path).directory) == first


def test_two_platforms_share_none(tmp_path: Path) -> None:
    one = read_all(Secrets(tmp_path / "one").directory)
    two = read_all(Secrets(tmp_path / "two").directory)
    assert not set(one.values()) & set(two.values())
    assert len(set(one.values())) == len(one)


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: Secrets(tmp_path).superuser_password, range(8)))
    assert len(set(seen)) == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_believed_by_every_other(tmp_path: Path, program: str) -> None:
    secrets = Secrets(tmp_path)
    signer = Signer(secrets.internal_key_file(program))
    token = signer.token("booking", Caller(CallerKind.SERVICE, program))
    assert Verifier(secrets.internal_keys_file, "booking").verify(token).issuer == program


def test_the_published_keys_are_public(tmp_path: Path) -> None:
    keys = json.loads(Secrets(tmp_path).internal_keys_file.read_text())["keys"]
    assert {key["kid"] for key in keys} == set(PROGRAMS)
    assert not any("d" in key for key in keys)


def test_the_encryption_key_has_32_bytes(tmp_path: Path) -> None:
    text = Secrets(tmp_path).notification_encryption_key_file.read_text()
    assert len(base64.b64decode(text, validate=False)) == 32
