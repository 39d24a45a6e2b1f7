"""Comptoir's HTTP API, every operation a typed method."""

from comptoir_client import models
from comptoir_client.client import Comptoir
from comptoir_client.connection import Answer
from comptoir_client.failures import CallFailed, Place, Problem, Unreachable
from comptoir_client.paging import Page, every
from comptoir_client.version import API_VERSION

__all__ = [
    "API_VERSION",
    "Answer",
    "CallFailed",
    "Comptoir",
    "Page",
    "Place",
    "Problem",
    "Unreachable",
    "every",
    "models",
]
