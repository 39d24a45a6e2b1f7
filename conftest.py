"""Loads the fixtures that every suite shares."""

pytest_plugins = ["testkit.plugin"]
