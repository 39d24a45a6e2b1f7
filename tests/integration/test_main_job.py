"""The main job, end to end, through HTTP."""

import json

from .conftest import MainJob


def test_the_main_job_works(main_job: MainJob) -> None:
    assert main_job.steps == 8


def test_the_main_job_logs_no_error_and_no_stack_trace(main_job: MainJob) -> None:
    """Every line is JSON, and tells of nothing worse than of something that is tried again."""
    lines = [json.loads(line) for text in main_job.logs.values() for line in text.splitlines()]
    assert [line for line in lines if "exception" in line or line["level"] not in {"info", "warning"}] == []
