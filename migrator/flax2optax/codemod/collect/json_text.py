"""JSON whose strings know where they stand, so that one of them can be replaced and nothing else moves."""

import json
import re
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_ATOM = re.compile(r"[-+.\w]+")
_decode = json.JSONDecoder().raw_decode


class Text(str):
    """A JSON string: its value, and the half-open range of its literal in the raw text."""

    start: int
    end: int


def parse(raw: str) -> Any:
    """Return what `json.loads` returns, every string a `Text`. Raises ValueError for what is not JSON."""
    json.loads(raw)
    value, _ = _value(raw, _skip(raw, 0))
    return value


def literal(value: str, like: str) -> str:
    """Write a string as JSON, escaped as in the raw text `like`."""
    return json.dumps(value, ensure_ascii=like.isascii())


def _skip(raw: str, at: int) -> int:
    found = _SPACE.match(raw, at)
    return found.end() if found else at


def _value(raw: str, at: int) -> tuple[Any, int]:
    match raw[at]:
        case '"':
            return _text(raw, at)
        case "{":
            return _object(raw, at)
        case "[":
            return _array(raw, at)
    found = _ATOM.match(raw, at)
    end = found.end() if found else at + 1
    return json.loads(raw[at:end]), end


def _text(raw: str, at: int) -> tuple[Text, int]:
    value, end = _decode(raw, at)
    text = Text(value)
    text.start, text.end = at, end
    return text, end


def _object(raw: str, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    at = _skip(raw, at + 1)
    while raw[at] != "}":
        key, at = _text(raw, at)
        found[key], at = _value(raw, _skip(raw, _skip(raw, at) + 1))
        at = _past_comma(raw, at)
    return found, at + 1


def _array(raw: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _skip(raw, at + 1)
    while raw[at] != "]":
        value, at = _value(raw, at)
        found.append(value)
        at = _past_comma(raw, at)
    return found, at + 1


def _past_comma(raw: str, at: int) -> int:
    at = _skip(raw, at)
    return _skip(raw, at + 1) if raw[at] == "," else at
