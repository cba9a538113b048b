"""What makes a finding the same one after lines above it have moved."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from flax2optax.codemod.summary.frame import source_lines
from flax2optax.codemod.summary.report import Finding


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """Return one per finding: code, path, the line's text, and which one of several alike it is."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for finding in findings:
        place = finding.diagnostic.location
        lines = source_lines(finding)
        text = lines[0].strip() if lines else ""
        key = "\0".join((finding.diagnostic.code, place.path, finding.diagnostic.message, text))
        seen[key] += 1
        found.append(hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest()[:32])
    return found
