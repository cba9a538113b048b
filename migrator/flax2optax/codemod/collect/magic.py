"""IPython's own lines, masked as Python that survives edits, one line for one line, and unmasked again.

`!pip install x` and `%matplotlib inline` become a `pass` that carries the line in its comment.
`%time f(x)` becomes `f(x)`, since the code in it is part of the program; the magic waits in the comment.
A cell that is not Python at all (`%%bash`) is masked whole.
"""

import ast
import re
import warnings

_PASS = "pass  #fxo|"
_ASSIGNED = "None  #fxo=|"
_TIMED = "  #fxo%|"
_MASKED = re.compile(r"^[ \t]*pass  #fxo\|(.*)$", re.MULTILINE)
_MASKED_VALUE = re.compile(r"None  #fxo=\|(.*)$", re.MULTILINE)
_MASKED_TIMER = re.compile(r"^([ \t]*)(.*)  #fxo%\|(.*)$", re.MULTILINE)

_PYTHON_CELLS = frozenset({"capture", "debug", "prun", "time", "timeit"})
_TIMER = re.compile(r"([ \t]*)(%(?:time|timeit|prun)(?:[ \t]+-\w+(?:[ \t]+\d+)?)*[ \t]+)(?=\S)(.*)")
_ASSIGNMENT = re.compile(r"([ \t]*[A-Za-z_][\w.,\[\]'\" \t]*=[ \t]*)([%!].*)")
_QUESTION = re.compile(r"[ \t]*(?:\?.*|[%!]*[\w.*]+\?\??[ \t]*)$")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_INDENT = re.compile(r"[ \t]*")
_TOKEN = re.compile(
    r"'''|\"\"\"|'(?:\\.|[^'\\\r\n])*'|\"(?:\\.|[^\"\\\r\n])*\"|#.*|[()\[\]{}]|\\(?=\r?\n)"
)


def mask(cell: str) -> str:
    """Return the cell as Python with the same number of lines."""
    lines = split_lines(cell)
    magic = _cell_magic(lines)
    if magic is not None and magic not in _PYTHON_CELLS:
        return mask_all(cell)
    return cell if is_python(cell) else _mask_lines(lines)


def mask_all(cell: str) -> str:
    """Return the cell with every line masked."""
    return "".join(_masked(line, "") for line in split_lines(cell))


def split_lines(text: str) -> list[str]:
    """Return the lines with their ends, cut at line feeds only."""
    return _LINE.findall(text)


def unmask(text: str) -> str:
    """Return masked text as IPython reads it."""
    text = _MASKED_TIMER.sub(r"\1\3\2", text)
    text = _MASKED_VALUE.sub(r"\1", text)
    return _MASKED.sub(r"\1", text)


def masked_lines(text: str) -> list[tuple[int, str]]:
    """Return the 1-based numbers and the contents of the masked lines."""
    found = ((number, _MASKED.match(line)) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line[1]) for number, line in found if line]


def is_python(cell: str) -> bool:
    """Return whether the cell parses as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _cell_magic(lines: list[str]) -> str | None:
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first.startswith("%%"):
        return None
    return first[2:].split(maxsplit=1)[0] if first[2:].strip() else ""


def _mask_lines(lines: list[str]) -> str:
    masked: list[str] = []
    state = _Nesting()
    indent: str | None = None  # of the magic that goes on in this line
    for line in lines:
        if indent is not None or (state.at_statement and _is_magic(line)):
            timed = _timed(line) if indent is None else None
            indent = _indent(line) if indent is None else indent
            masked.append(timed or _masked(line, indent))
            if timed or not line.rstrip().endswith("\\"):
                indent = None
            continue
        masked.append(_assigned(line) if state.at_statement else line)
        state.read(masked[-1])
    return "".join(masked)


def _is_magic(line: str) -> bool:
    return (
        line.lstrip().startswith(("%", "!", "?"))
        or _QUESTION.match(line.rstrip("\r\n")) is not None
    )


def _masked(line: str, indent: str) -> str:
    return indent + _PASS + line


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""


def _timed(line: str) -> str | None:
    body = line.rstrip("\r\n")
    found = _TIMER.fullmatch(body)
    if found is None or not is_python(found[3]):
        return None
    return found[1] + found[3] + _TIMED + found[2] + line[len(body) :]


def _assigned(line: str) -> str:
    body = line.rstrip("\r\n")
    found = _ASSIGNMENT.fullmatch(body)
    return found[1] + _ASSIGNED + found[2] + line[len(body) :] if found else line


class _Nesting:
    """Whether the next line begins a statement: outside of brackets, long strings and continued lines."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def at_statement(self) -> bool:
        return not (self._quote or self._depth or self._continued)

    def read(self, line: str) -> None:
        self._continued = False
        at = self._close(line, 0) if self._quote else 0
        while at >= 0 and (found := _TOKEN.search(line, at)):
            at = self._take(line, found)

    def _close(self, line: str, at: int) -> int:
        end = line.find(self._quote, at)
        if end >= 0:
            self._quote = ""
            return end + 3
        return -1

    def _take(self, line: str, found: re.Match[str]) -> int:
        token = found[0]
        if token in ("'''", '"""'):
            self._quote = token
            return self._close(line, found.end())
        self._continued = token == "\\"
        if token in "([{":
            self._depth += 1
        elif token in ")]}":
            self._depth = max(0, self._depth - 1)
        return found.end()
