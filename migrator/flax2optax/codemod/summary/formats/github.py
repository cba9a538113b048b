"""Annotations of a GitHub workflow."""

from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.summary.report import Finding, Report


def render(report: Report) -> str:
    """Return one workflow command for each finding that is left."""
    return "".join(_command(one) for one in report.shown)


def _command(finding: Finding) -> str:
    one, place = finding.diagnostic, finding.diagnostic.location
    level = "notice" if one.severity is Severity.NOTE else "error"
    fields = {"title": f"flax2optax ({one.code})", "file": place.path}
    if place.cell is None:
        fields |= {"line": str(place.line), "endLine": str(place.end_line)}
    if place.cell is None and place.line == place.end_line:
        fields |= {"col": str(place.column), "endColumn": str(place.end_column)}
    shown = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    where = f" (cell {place.cell}, line {place.line})" if place.cell is not None else ""
    return f"::{level} {shown}::{_data(f'{one.code} {one.message}{where}')}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
