"""Dashboards ask for what is there."""

import json
import subprocess
from pathlib import Path

from tools.checks import dashboards


def test_the_dashboards_of_the_tree_ask_for_nothing_in_vain() -> None:
    assert list(dashboards.check()) == []


def test_a_metric_that_no_program_has_is_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "metrics.py").write_text(
        'X = Counter("comptoir_a_total", "")\nY = m.Histogram("comptoir_b_seconds", "")\n'
    )
    folder = tmp_path / "deploy" / "dashboards"
    folder.mkdir(parents=True)
    there = "rate(comptoir_a_total[1m]) + comptoir_b_seconds_bucket"
    panels = [{"targets": [{"expr": there}]}, {"targets": [{"expr": "sum(comptoir_gone_total)"}]}]
    (folder / "x.json").write_text(json.dumps({"title": "comptoir_title", "panels": panels}))
    assert list(dashboards.check(tmp_path)) == [
        "deploy/dashboards/x.json asks for comptoir_gone_total, which no program has"
    ]
