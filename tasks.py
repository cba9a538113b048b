"""The chores, one command each: `python tasks.py CHORE`.

check      format, lint, types and the freshness of the documents
test       the suite; what follows is for pytest
docs       write docs/ from the catalogue and the rules
fixtures   write every fixture's after/ from its before/; what follows are names of fixtures
new-rule   start a rule: python tasks.py new-rule Name
bench      how long things take, as ratios within one run
scorecard  the tool over many real projects: REPOSITORIES.json and a folder of exported projects
wheel      the suite against the built wheel, in an environment of its own
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

TOP = Path(__file__).parent
DOCS = TOP / "docs"
sys.path[:0] = [str(TOP / "migrator"), str(TOP / "rules")]

if TYPE_CHECKING:
    from flax2optax.codemod.codes import Code
    from flax2optax_rules import OptimizerRule

RULE = '''"""{name}.

What differs between flax and Optax, and why this still agrees.
"""

from .types import Agreement, Example, OptimizerRule, Variant

rule = OptimizerRule(
    flax="flax.optim.{name}(learning_rate=None)",
    variants=(Variant(write="optax.{module}({{learning_rate}})"),),
    agreement=Agreement.ROUNDING,
    examples=(Example(before="optim.{name}(0.1)", after="optax.{module}(0.1)"),),
)
'''


def check(arguments: Sequence[str]) -> None:
    """Stop at the first tool that is not content."""
    python("-m", "ruff", "format", "--check", ".")
    python("-m", "ruff", "check", ".")
    python("-m", "mypy", "--strict")
    stale = [page.name for page, text in pages().items() if not is_fresh(page, text)]
    if stale:
        sys.exit(f"docs/ is stale ({', '.join(stale)}): run `python tasks.py docs`")


def test(arguments: Sequence[str]) -> None:
    """Run the suite in this environment, in two processes."""
    python("-m", "pytest", "-n", "2", *arguments)


def docs(arguments: Sequence[str]) -> None:
    """Write the pages that are generated."""
    DOCS.mkdir(exist_ok=True)
    for page, text in pages().items():
        page.write_text(text, "utf-8")


def fixtures(arguments: Sequence[str]) -> None:
    """Migrate a copy of each before/ to be the new after/; what to think of it is for the reader of the diff."""
    for before in sorted((TOP / "fixtures").glob("*/before")):
        if arguments and before.parent.name not in arguments:
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "after"
            shutil.copytree(before, copy, ignore=shutil.ignore_patterns("__pycache__"))
            command = ["-m", "flax2optax", "-q", "--isolated", "--no-todo", "--exit-zero"]
            python(*command, str(copy), quiet=True)
            replace_folder(before.with_name("after"), copy, unless=before)


def new_rule(arguments: Sequence[str]) -> None:
    """Write the file that a rule begins as."""
    (name,) = arguments
    module = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    path = TOP / "rules" / "flax2optax_rules" / f"{module}.py"
    if path.exists():
        sys.exit(f"{path} is there already")
    path.write_text(RULE.format(name=name, module=module))
    print(f"{path}: now the variants, the agreement and the examples; then `python tasks.py docs`")


def bench(arguments: Sequence[str]) -> None:
    """Print the ratios of PERFORMANCE."""
    python(str(TOP / "benchmarks" / "speed.py"), *arguments)


def scorecard(arguments: Sequence[str]) -> None:
    """Print what the tool finds, migrates and refuses in real projects, and whether it keeps its promises."""
    python(str(TOP / "benchmarks" / "scorecard.py"), *arguments)


def wheel(arguments: Sequence[str]) -> None:
    """Build the wheel, install it and nothing else of ours, and run the suite on that."""
    with tempfile.TemporaryDirectory() as folder:
        python("-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(TOP))
        (built,) = Path(folder).glob("*.whl")
        venv.create(Path(folder) / "venv", with_pip=True)
        own = str(Path(folder) / "venv" / "bin" / "python")
        subprocess.run([own, "-m", "pip", "install", "-q", f"{built}[test]"], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        where = "import flax2optax, flax2optax_rules as r; print(flax2optax.__file__, r.__file__)"
        subprocess.run([own, "-c", f"{where}; assert 'site-packages' in r.__file__"], check=True)
        suite = [own, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *arguments]
        subprocess.run(suite, check=True, cwd=TOP, env=environment)


def pages() -> dict[Path, str]:
    """The pages of docs/ that the code knows best."""
    from flax2optax.codemod.codes import CODES
    from flax2optax_rules import RULES

    codes = "\n".join(code_section(one) for one in CODES.values())
    rules = "\n".join(rule_section(name, RULES[name]) for name in sorted(RULES))
    return {
        DOCS / "codes.md": f"# Codes\n\n{codes}",
        DOCS / "rules.md": f"# Rules\n\n{rules}",
    }


def code_section(one: "Code") -> str:
    """One code: what it means and what to write instead."""
    text = one.explanation.replace(". ", ".\n")
    return f"## {one.code}\n\n{one.title}.\n\n{text}\n\nInstead: {one.instead}\n"


def rule_section(name: str, rule: "OptimizerRule") -> str:
    """One rule: the flax signature, the words of its module, its examples."""
    from flax2optax.cli.commands.explain import reason

    rows = "\n".join(f"{one.before}\n    # {one.after}" for one in rule.examples)
    return f"## {name}\n\n{reason(rule)}\n\n`{rule.flax}`: {rule.agreement}.\n\n```python\n{rows}\n```\n"


def is_fresh(page: Path, text: str) -> bool:
    """Whether a page is what would be written."""
    return page.is_file() and page.read_text("utf-8") == text


def replace_folder(old: Path, new: Path, *, unless: Path) -> None:
    """Put a folder in place of another, or away with it if it is the same as a third."""
    shutil.rmtree(old, ignore_errors=True)
    if contents(new) != contents(unless):
        shutil.copytree(new, old)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def python(*arguments: str, quiet: bool = False) -> None:
    """Run this Python on the tree."""
    roots = [str(TOP / "migrator"), str(TOP / "rules")]
    path = os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])
    output = subprocess.DEVNULL if quiet else None
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=TOP, env=os.environ | {"PYTHONPATH": path}, stdout=output, stderr=output
    )
    if done.returncode:
        sys.exit(done.returncode)


CHORES: dict[str, Callable[[Sequence[str]], None]] = {
    "check": check,
    "test": test,
    "docs": docs,
    "fixtures": fixtures,
    "new-rule": new_rule,
    "bench": bench,
    "scorecard": scorecard,
    "wheel": wheel,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in CHORES:
        sys.exit((__doc__ or "").strip())
    CHORES[sys.argv[1]](sys.argv[2:])
