"""reviewdog's diagnostic format."""

import json
import os
from typing import Any

from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.summary.edits import Edits, edits_of, fix_of
from flax2optax.codemod.summary.report import Finding, Report


def render(report: Report) -> str:
    """Return every finding that is left, with suggestions for those that can be fixed."""
    edits = edits_of(report)
    found = {
        "source": {"name": "flax2optax"},
        "severity": "ERROR",
        "diagnostics": [_diagnostic(one, edits) for one in report.shown],
    }
    return json.dumps(found, indent=2) + "\n"


def _diagnostic(finding: Finding, edits: Edits) -> dict[str, Any]:
    one, place = finding.diagnostic, finding.diagnostic.location
    suggestions = [
        {"range": _range(edit.start, 1, edit.end, 1), "text": edit.content}
        for edit in fix_of(finding, edits)
    ]
    return {
        "message": one.message,
        "code": {"value": one.code},
        "severity": "INFO" if one.severity is Severity.NOTE else "ERROR",
        "location": {
            "path": place.path.replace(os.sep, "/"),
            "range": _range(place.line, place.column, place.end_line, place.end_column),
        },
    } | ({"suggestions": suggestions} if suggestions else {})


def _range(line: int, column: int, end_line: int, end_column: int) -> dict[str, Any]:
    start = {"line": line, "column": column}
    return {"start": start, "end": {"line": end_line, "column": end_column}}
