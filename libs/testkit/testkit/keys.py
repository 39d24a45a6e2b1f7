"""Internal signing keys of every process, made for one test run."""

import json
from pathlib import Path

from joserfc.jwk import OKPKey

from servicekit.contract import CONTEXTS
from servicekit.identity import Signer, Verifier


class Keys:
    """A private key for every service and the gateway, and the public set that all trust, as files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        public = []
        for name in (*CONTEXTS, "gateway"):
            key = OKPKey.generate_key("Ed25519", {"kid": name}, private=True)
            self.file(name).write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
            public.append(key.as_dict(private=False))
        self.trusted.write_text(json.dumps({"keys": public}), encoding="utf-8")

    @property
    def trusted(self) -> Path:
        """The public keys."""
        return self.directory / "internal-keys.json"

    def file(self, name: str) -> Path:
        """The private key of one process."""
        return self.directory / f"internal-{name}.json"

    def signer(self, name: str) -> Signer:
        """Signs as `name`."""
        return Signer(self.file(name))

    def verifier(self, audience: str) -> Verifier:
        """Verifies what is meant for `audience`."""
        return Verifier(self.trusted, audience)
