"""The embedded platform behind `make up` and the test fixtures; it is never part of a service image."""
