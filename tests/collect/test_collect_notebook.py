"""Notebooks: one module of all cells, and back to the JSON with only the changed lines changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from flax2optax.codemod.collect import Selection, collect
from flax2optax.codemod.collect.magic import is_python, mask, unmask
from flax2optax.codemod.collect.notebook import NotebookEncode, NotebookError, decode_notebook
from flax2optax.codemod.source import SourceFile

CELLS = [
    {"cell_type": "markdown", "metadata": {}, "source": ["# optim\n", "text"]},
    {
        "cell_type": "code",
        "execution_count": 3,
        "id": "7f",
        "metadata": {"z": 1, "a": 2},
        "outputs": [{"text": ["1e400 \\u00e9 ü"], "data": {"n": 1.50}}],
        "source": ["%matplotlib inline\n", "from flax import optim\n", "opt = optim.Adam(1e-3)"],
    },
    {"cell_type": "code", "source": "!ls\nfor x in y:\n    !echo {x}\n    z = x  # ü\n"},
    {"cell_type": "code", "source": []},
    {"cell_type": "code", "source": ["last = opt"]},
]

MASKED = {
    "line magic": ("%matplotlib inline\n", "pass  #fxo|%matplotlib inline\n"),
    "shell": ("x = 1\n!ls *.py\n", "x = 1\npass  #fxo|!ls *.py\n"),
    "help": ("optim.Adam?\n", "pass  #fxo|optim.Adam?\n"),
    "help before": ("?optim\n", "pass  #fxo|?optim\n"),
    "indented": ("if a:\n  !ls\n", "if a:\n  pass  #fxo|  !ls\n"),
    "continued": (
        "!pip install \\\n  flax\nx = 1\n",
        "pass  #fxo|!pip install \\\npass  #fxo|  flax\nx = 1\n",
    ),
    "assigned": ("files = !ls\n", "files = None  #fxo=|!ls\n"),
    "timed": ("%time y = f(x)\n", "y = f(x)  #fxo%|%time \n"),
    "timed with options": ("%timeit -n 10 -r 3 f(x)\n", "f(x)  #fxo%|%timeit -n 10 -r 3 \n"),
    "timed cell": ("%%time\ny = f(x)\n", "pass  #fxo|%%time\ny = f(x)\n"),
    "cell of another language": ("%%bash\n  ls\n", "pass  #fxo|%%bash\npass  #fxo|  ls\n"),
    "carriage returns": ("!ls\r\nx = 1\r\n", "pass  #fxo|!ls\r\nx = 1\r\n"),
}

LEFT_ALONE = {
    "plain": "x = 1\n",
    "modulo on a line of its own": "x = (3\n% 4)\n",
    "a string that looks like one": 'x = """\n%matplotlib\n!ls\n"""\n!pwd\n'.replace("!pwd\n", ""),
    "top-level await": "x = await f()\n",
    "not equal": "x = y\nz = x != y\n",
}


@pytest.mark.parametrize("cell", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_python_is_not_masked(cell: str) -> None:
    assert mask(cell) == cell


def test_a_string_that_looks_like_a_magic_is_not_masked_beside_a_real_one() -> None:
    cell = '!pwd\nx = """\n%matplotlib\n!ls # \'\n"""\ny = (\n%z)\nw = a \\\n%b\n'
    assert mask(cell) == cell.replace("!pwd", "pass  #fxo|!pwd")


@pytest.mark.parametrize(("cell", "masked"), MASKED.values(), ids=MASKED)
def test_masks(cell: str, masked: str) -> None:
    assert mask(cell) == masked
    assert unmask(masked) == cell
    assert is_python(masked)


def test_a_cell_that_cannot_run_is_masked_whole_unless_it_is_ours() -> None:
    broken, ours = "def f(:\n  pass\n", "def f(:\n  flax.optim\n"
    text, _ = decoded(dumped([{"cell_type": "code", "source": broken}]))
    assert is_python(text)
    text, _ = decoded(dumped([{"cell_type": "code", "source": ours}]))
    assert text == ours


@pytest.mark.parametrize("indent", [None, 1, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("end", ["", "\n"])
def test_unchanged_text_gives_the_same_bytes(indent: Any, ascii_only: bool, end: str) -> None:
    raw = dumped(CELLS, indent=indent, ensure_ascii=ascii_only) + end.encode()
    text, encode = decoded(raw)
    assert encode(text) == raw
    assert is_python(text)


def test_carriage_returns_and_byte_order_mark_of_the_json_are_kept() -> None:
    raw = b"\xef\xbb\xbf" + dumped(CELLS, indent=1).replace(b"\n", b"\r\n")
    text, encode = decoded(raw)
    assert encode(text) == raw
    assert encode(text.replace("1e-3", "1e-4")) == raw.replace(b"Adam(1e-3)", b"Adam(1e-4)")


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        (
            "from flax import optim\n",
            "import optax\n",
            ['    "from flax import optim\\n",'],
            ['    "import optax\\n",'],
        ),
        (
            "from flax import optim\n",
            "import a\nimport b\n",
            ['    "from flax import optim\\n",'],
            ['    "import a\\n",', '    "import b\\n",'],
        ),
        ("from flax import optim\n", "", ['    "from flax import optim\\n",'], []),
        (
            "opt = optim.Adam(1e-3)\n",
            "tx = 1\nopt = 2\n",
            ['    "opt = optim.Adam(1e-3)"'],
            ['    "tx = 1\\n",', '    "opt = 2"'],
        ),
        ("last = opt\n", "a = 1\nlast = opt\n", [], ['    "a = 1\\n",']),
    ],
    ids=[
        "one line",
        "one becomes two",
        "removed",
        "the last becomes two",
        "in front of an only line",
    ],
)
def test_only_the_changed_lines_change(
    old: str, new: str, removed: list[str], added: list[str]
) -> None:
    raw = dumped(CELLS, indent=1)
    text, encode = decoded(raw)
    before, after = raw.decode().split("\n"), encode(text.replace(old, new)).decode().split("\n")
    assert json.loads("\n".join(after))
    assert sorted(set(before) - set(after)) == sorted(removed)
    assert sorted(set(after) - set(before)) == sorted(added)
    assert len(after) - len(before) == len(added) - len(removed)


def test_a_source_in_one_string_stays_one_string() -> None:
    raw = dumped(CELLS, ensure_ascii=False)
    text, encode = decoded(raw)
    assert encode(text.replace("z = x ", "z = w ")) == raw.replace(b"z = x ", b"z = w ")


def test_escapes_stay_as_the_file_writes_them() -> None:
    raw = dumped(CELLS, ensure_ascii=True)
    text, encode = decoded(raw)
    assert encode(text.replace("z = x ", "z = 'é' ")) == raw.replace(b"z = x ", b"z = '\\u00e9' ")


def test_an_emptied_cell_is_an_empty_list() -> None:
    text, encode = decoded(dumped(CELLS))
    assert json.loads(encode(text.replace("last = opt\n", "")))["cells"][4]["source"] == []


def test_text_without_the_borders_is_refused() -> None:
    text, encode = decoded(dumped(CELLS))
    with pytest.raises(NotebookError):
        encode("\n".join(line for line in text.split("\n") if not line.startswith("# %%")))


def test_lines_have_their_cell() -> None:
    text, encode = decoded(dumped(CELLS))
    lines = text.split("\n")
    places = [
        encode.place(lines.index(line) + 1) for line in ("from flax import optim", "last = opt")
    ]
    assert places == [(2, 2), (5, 1)]


def test_a_notebook_that_names_no_language_is_python_and_one_of_another_is_nobodys(
    tmp_path: Path,
) -> None:
    assert decode_notebook(dumped(CELLS)) is not None
    julia = json.loads(dumped(CELLS)) | {"metadata": {"language_info": {"name": "julia"}}}
    assert decode_notebook(json.dumps(julia).encode()) is None
    other = json.loads(dumped(CELLS)) | {"metadata": {"kernelspec": {"language": "R"}}}
    assert decode_notebook(json.dumps(other).encode()) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"flax optim",
        b"[1, 2] // flax optim",
        b'"flax optim"',
        b'{"flax": "optim"}',
        b'{"worksheets": "flax optim"}',
    ],
)
def test_what_is_no_notebook_is_reported(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(raw)
    collected, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert collected.candidates == ()
    assert [one.code for one in problems] == ["FXO003"]


@pytest.mark.parametrize(
    ("line", "pins"),
    [
        ("!pip install flax==0.3.4", ["flax==0.3.4"]),
        ("%pip install -q 'flax<0.6' jax", ["flax<0.6"]),
        ("!pip install flax", []),
        ("!pip install my-flax==0.1", []),
        ("!pip install flax>=0.8", []),
    ],
)
def test_pins_in_shell_lines_are_noted(line: str, pins: list[str], tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": [line + "\n", "import flax.optim"]}]
    (tmp_path / "a.ipynb").write_bytes(dumped(cells))
    _, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert [(one.code, one.message.split("`")[1], one.location.cell) for one in problems] == [
        ("FXO802", pin, 1) for pin in pins
    ]


def test_code_hidden_in_a_magic_is_reported(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": "%%writefile a.py\nfrom flax import optim\n"}]
    (tmp_path / "a.ipynb").write_bytes(dumped(cells))
    collected, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert [one.code for one in problems] == ["FXO904"]
    assert isinstance(collected.candidates[0], SourceFile)


def dumped(cells: list[dict[str, Any]], **style: Any) -> bytes:
    return json.dumps({"cells": cells, "nbformat": 4}, **style).encode()


def decoded(raw: bytes) -> tuple[str, NotebookEncode]:
    found = decode_notebook(raw)
    assert found is not None
    return found
