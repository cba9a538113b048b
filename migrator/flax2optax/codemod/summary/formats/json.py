"""A list of objects with ruff's field names, `schema_version`, `flow` and `state`."""

import json
import os
from typing import Any

from flax2optax.codemod.summary.edits import Edits, edits_of, fix_of
from flax2optax.codemod.summary.report import Finding, Report

_SCHEMA_VERSION = 1


def render(report: Report) -> str:
    """Return all findings, those that are done too."""
    edits = edits_of(report)
    return json.dumps([_record(one, edits) for one in report.findings], indent=2) + "\n"


def _record(finding: Finding, edits: Edits) -> dict[str, Any]:
    one, place = finding.diagnostic, finding.diagnostic.location
    return {
        "cell": place.cell,
        "code": one.code,
        "end_location": _point(place.end_line, place.end_column),
        "filename": str(finding.source.path) if finding.source else os.path.abspath(place.path),
        "fix": _fix(finding, edits),
        "flow": one.flow,
        "help": one.help or None,
        "location": _point(place.line, place.column),
        "message": one.message,
        "noqa_row": place.line,
        "schema_version": _SCHEMA_VERSION,
        "severity": str(one.severity),
        "state": str(finding.state),
        "url": None,
    }


def _fix(finding: Finding, edits: Edits) -> dict[str, Any] | None:
    if finding.diagnostic.fix is None:
        return None
    found = [
        {
            "content": edit.content,
            "location": _point(edit.start, 1),
            "end_location": _point(edit.end, 1),
        }
        for edit in fix_of(finding, edits)
    ]
    message = finding.diagnostic.help or None
    return {"applicability": str(finding.diagnostic.fix), "edits": found, "message": message}


def _point(row: int, column: int) -> dict[str, int]:
    return {"row": row, "column": column}
