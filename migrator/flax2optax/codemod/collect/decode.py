"""Bytes to text and back, by byte order mark and coding line (PEP 263). Line ends are never touched."""

import codecs
import io
import re
import tokenize
from dataclasses import dataclass

from flax2optax.codemod.source import Encode

_FIRST_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")


class UndecodableError(ValueError):
    """The bytes are not text that can be written back; the message says why."""


@dataclass(frozen=True, slots=True)
class TextEncode:
    """The way back for plain Python files."""

    encoding: str
    bom: bytes

    def __call__(self, text: str) -> bytes:
        """Return the new bytes of the whole file."""
        return self.bom + text.encode(self.encoding)


def decode(data: bytes) -> tuple[str, Encode]:
    """Return the text and its way back, which gives the same bytes for the same text."""
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        encoding = _encoding(data)
        text = data[len(bom) :].decode(encoding)
        encode = TextEncode(encoding, bom)
        same = encode(text) == data
    except (SyntaxError, LookupError, UnicodeError) as problem:
        raise UndecodableError(str(problem)) from None
    if not same:
        raise UndecodableError(f"{encoding} does not give the same bytes back")
    return text, encode


def _encoding(data: bytes) -> str:
    """As Python's own tokenizer, which ends a line at a lone carriage return too."""
    first = _FIRST_LINES.match(data)
    second = _FIRST_LINES.match(data, first.end() if first else 0)
    lines = [found[0].rstrip(b"\r\n") + b"\n" for found in (first, second) if found and found[0]]
    encoding, _ = tokenize.detect_encoding(io.BytesIO(b"".join(lines)).readline)
    return "utf-8" if encoding == "utf-8-sig" else encoding
