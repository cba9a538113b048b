"""SARIF 2.1.0 for code scanning. Fingerprints do not depend on line numbers."""

import json
import os
from typing import Any
from urllib.parse import quote

from flax2optax import __version__
from flax2optax.codemod.codes import CODES
from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.summary.edits import Edits, edits_of, fix_of
from flax2optax.codemod.summary.fingerprint import fingerprints
from flax2optax.codemod.summary.report import Finding, Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report) -> str:
    """Return one run with every finding that is left."""
    edits, marks = edits_of(report), fingerprints(report.shown)
    results = [_result(one, mark, edits) for one, mark in zip(report.shown, marks, strict=True)]
    codes = sorted({one.diagnostic.code for one in report.shown})
    driver = {
        "name": "flax2optax",
        "version": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    found = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(found, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.explanation},
        "help": {"text": known.instead},
    }


def _result(finding: Finding, mark: str, edits: Edits) -> dict[str, Any]:
    one, place = finding.diagnostic, finding.diagnostic.location
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    physical = {"artifactLocation": _artifact(place.path), "region": region}
    result: dict[str, Any] = {
        "ruleId": one.code,
        "level": "note" if one.severity is Severity.NOTE else "error",
        "message": {"text": one.message},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"flax2optax/v1": mark},
    }
    return result | _fixes(finding, edits)


def _fixes(finding: Finding, edits: Edits) -> dict[str, Any]:
    found = fix_of(finding, edits)
    if not found:
        return {}
    replacements = [
        {
            "deletedRegion": {
                "startLine": edit.start,
                "startColumn": 1,
                "endLine": edit.end,
                "endColumn": 1,
            },
            "insertedContent": {"text": edit.content},
        }
        for edit in found
    ]
    change = {
        "artifactLocation": _artifact(finding.diagnostic.location.path),
        "replacements": replacements,
    }
    text = finding.diagnostic.help or finding.diagnostic.message
    return {"fixes": [{"description": {"text": text}, "artifactChanges": [change]}]}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": quote(path.replace(os.sep, "/"))}
