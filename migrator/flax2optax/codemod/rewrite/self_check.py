"""The new text under suspicion: it compiles, every name has a meaning, and planning it again finds nothing to do."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping

from flax2optax.codemod.index.places import Places
from flax2optax.codemod.mention import mentions_api
from flax2optax.codemod.plan.edits import Finding, FlowPlan, MigrationPlan
from flax2optax.codemod.rewrite.undefined import newly_undefined

BUG = "FXO007"
REPORT = "Please report this, with the lines it is about; meanwhile migrate this flow by hand."

PlanAgain = Callable[[Callable[[str], str | None]], tuple[MigrationPlan, Callable[[int], str]]]


def suspects(
    texts: Mapping[str, str], places: Places, plan_again: PlanAgain
) -> dict[str, tuple[str, str]]:
    """Return the files that may not be written as they are, each with a code and a reason."""
    found = {
        path: why for path in texts if (why := _compiles(texts[path], places.files[path].text))
    }
    if (
        found
        or not texts
        or not any(mentions_api(text.encode()) for text in _second(texts, places))
    ):
        return found  # a second run would not even look at any of these files
    return _left(texts, places, plan_again)


def stop(
    flows: Iterable[FlowPlan], suspected: Mapping[str, tuple[str, str]], places: Places
) -> None:
    """Stop the flows of suspected files, with our own fault as the reason."""
    for flow in flows:
        for path in flow.files:
            if flow.applied and path in suspected:
                code, why = suspected[path]
                here = [one.node for one in flow.findings if places.path(one.node) == path]
                node = here[0] if here else flow.root
                flow.findings.append(Finding(code, node, why, REPORT, blocks=True))


def _compiles(text: str, original: str) -> tuple[str, str] | None:
    problem = _problem(text)
    if problem is None:
        return _names(text, original)
    if (older := _problem(original)) is not None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            "FXO003",
            f"Python {version}, which runs this program, does not compile the file: {older}",
        )
    return BUG, f"a bug of flax2optax: the new text would not compile ({problem})"


def _names(text: str, original: str) -> tuple[str, str] | None:
    """Tell of names that have no meaning any more."""
    try:
        lost = newly_undefined(text, original)
    except SyntaxError:  # top-level await, in a notebook
        return None
    if not lost:
        return None
    names = ", ".join(f"`{name}`" for name in sorted(lost))
    return BUG, f"a bug of flax2optax: the new text would use {names}, which nothing defines"


def _problem(text: str) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<new>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as problem:
            return str(problem)
    return None


def _second(texts: Mapping[str, str], places: Places) -> Iterable[str]:
    """The files of a second run."""
    return (
        texts[path] if path in texts else places.files[path].text for path in places.files.named
    )


def _left(
    texts: Mapping[str, str], places: Places, plan_again: PlanAgain
) -> dict[str, tuple[str, str]]:
    again, path_of = plan_again(
        lambda path: texts[path] if path in texts else places.files.text(path)
    )
    found: dict[str, tuple[str, str]] = {}
    for flow in again.flows:
        for one in flow.findings:
            path = path_of(one.node)
            if not one.note and path in texts:
                reason = f"a bug of flax2optax: the new text is not finished ({one.message})"
                found.setdefault(path, (BUG, reason))
    return found
