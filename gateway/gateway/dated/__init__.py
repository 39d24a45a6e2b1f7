"""Dated versions of the API: old requests and answers, turned at the edge from and into those of today."""

from gateway.dated.calendar import Calendar, Release, overview
from gateway.dated.chain import Chain, Change, Reply
from gateway.dated.changes import CHANGES
from gateway.dated.dating import Dating
from gateway.dated.endpoint import Dated

__all__ = ["CHANGES", "Calendar", "Chain", "Change", "Dated", "Dating", "Release", "Reply", "overview"]
