"""Every code that the source can report is in the catalogue, with something to say."""

import re
from pathlib import Path

import pytest

import flax2optax
from flax2optax.codemod.codes import CODES, Code

SOURCES = sorted(Path(flax2optax.__file__).parent.rglob("*.py"))


def test_every_code_in_the_source_is_documented() -> None:
    used = {
        code
        for path in SOURCES
        if path.name != "codes.py"
        for code in re.findall(r"\bFXO\d{3}\b", path.read_text("utf-8"))
    }
    assert "FXO001" in used
    assert used - set(CODES) == set()


def test_codes_are_in_order_and_none_is_given_twice() -> None:
    text = next(path for path in SOURCES if path.name == "codes.py").read_text("utf-8")
    given = re.findall(r'^        "(FXO\d{3})",$', text, re.MULTILINE)
    assert given == sorted(set(given)) == list(CODES)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_an_entry_says_something(code: Code) -> None:
    assert code.title and not code.title.endswith(".")
    assert code.explanation.endswith(".") and len(code.explanation) > 40
    assert code.instead
