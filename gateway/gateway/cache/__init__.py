"""Answers for everybody, kept in Redis until an event says that they are not true any more."""
