"""GitLab's code quality report."""

import json
import os
from typing import Any

from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.summary.fingerprint import fingerprints
from flax2optax.codemod.summary.report import Finding, Report


def render(report: Report) -> str:
    """Return one issue for each finding that is left."""
    marks = fingerprints(report.shown)
    issues = [_issue(one, mark) for one, mark in zip(report.shown, marks, strict=True)]
    return json.dumps(issues, indent=2) + "\n"


def _issue(finding: Finding, mark: str) -> dict[str, Any]:
    one, place = finding.diagnostic, finding.diagnostic.location
    note = one.severity is Severity.NOTE
    return {
        "check_name": one.code,
        "description": f"{one.code}: {one.message}",
        "fingerprint": mark,
        "severity": "info" if note else "major",
        "location": {
            "path": place.path.replace(os.sep, "/"),
            "positions": {
                "begin": {"line": place.line, "column": place.column},
                "end": {"line": place.end_line, "column": place.end_column},
            },
        },
    }
