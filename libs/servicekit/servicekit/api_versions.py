"""The dated versions of the HTTP API (docs/versions.md). What changed with each is the gateway's to know."""

VERSIONS = ("2026-09-01", "2026-11-01")
"""All that there ever were, the oldest first."""
NEWEST = VERSIONS[-1]
HEADER = "Comptoir-Version"
