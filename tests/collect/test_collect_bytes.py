"""Bytes to text and back."""

import codecs
from pathlib import Path

import pytest

from flax2optax.codemod.collect import Selection, collect, mentions_api
from flax2optax.codemod.collect.decode import UndecodableError, decode

CODE = "from flax import optim\nname = 'é'\n"

UNDECODABLE = {
    "not the UTF-8 it must be": b"x = '\xe9'\n",
    "an encoding nobody knows": b"# coding: klingon\n",
    "a coding line against the byte order mark": codecs.BOM_UTF8 + b"# coding: latin-1\n",
    "a null in a truncated character": "x = 'é'".encode()[:-2],
    "an encoding that does not give the bytes back": b"# coding: utf-7\nx = '+AGE-'\n",
}

ROUND_TRIPS = {
    "plain": CODE.encode(),
    "byte order mark": codecs.BOM_UTF8 + CODE.encode(),
    "byte order mark and coding line": codecs.BOM_UTF8 + b"# coding: utf-8\n" + CODE.encode(),
    "latin-1": ("# -*- coding: latin-1 -*-\n" + CODE).encode("latin-1"),
    "coding in the second line": (
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n" + CODE
    ).encode("cp1252"),
    "carriage returns": CODE.replace("\n", "\r\n").encode(),
    "coding line and carriage returns": b"# coding: latin-1\r\nx = '\xe9'\r\n",
    "lone carriage returns": b"# coding: latin-1\rx = '\xe9'\r",
    "mixed line ends": b"a = 1\r\nb = 2\nc = 3\rd = 4",
    "form feeds and tabs": b"a = 1\n\x0c\nif a:\n\tb = 2\n",
    "no final line end": b"a = 1",
    "shift-jis": ("# coding: shift_jis\n" + "x = '日本'\n").encode("shift_jis"),
    "empty": b"",
}

MENTIONS_NOT = {
    "nothing": b"",
    "another library's optim": b"from torch import optim\n",
    "flax with optax": b"import flax, optax\noptimizer = optax.adam(1e-3)\n",
    "the step of a TrainState": b"state = state.apply_gradients(grads=grads)\n",
    "a longer word": b"import flax\nmy_optim = 1\n",
}

MENTIONS = {
    "import of the module": b"from flax import optim\n",
    "attribute": b"import flax\nflax.optim.Adam()\n",
    "submodule": b"from flax.optim.adam import Adam\n",
    "only the step": b"state.apply_gradient(grads)\n",
    "at the very end": b"import flax; flax.optim",
    "after an escaped line end of a notebook": rb'"import flax\noptim.Adam()"',
}


@pytest.mark.parametrize("data", UNDECODABLE.values(), ids=UNDECODABLE)
def test_refuses(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(data)


@pytest.mark.parametrize("data", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_gives_the_same_bytes_back(data: bytes) -> None:
    text, encode = decode(data)
    assert encode(text) == data
    assert not text.startswith("\ufeff")


def test_new_text_is_written_in_the_files_own_encoding() -> None:
    text, encode = decode(b"# coding: latin-1\r\nx = '\xe9'\r\n")
    assert encode(text.replace("x", "y")) == b"# coding: latin-1\r\ny = '\xe9'\r\n"


def test_text_that_the_encoding_lacks_is_an_error() -> None:
    _, encode = decode(b"# coding: latin-1\n")
    with pytest.raises(UnicodeEncodeError):
        encode("x = '日本'\n")


@pytest.mark.parametrize("data", MENTIONS_NOT.values(), ids=MENTIONS_NOT)
def test_is_no_candidate(data: bytes) -> None:
    assert not mentions_api(data)


@pytest.mark.parametrize("data", MENTIONS.values(), ids=MENTIONS)
def test_is_a_candidate(data: bytes) -> None:
    assert mentions_api(data)


def test_one_bad_file_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_bytes(b"import flax.optim\nx = '\xe9'\n")
    (tmp_path / "good.py").write_text("import flax.optim\n")
    collected, problems = collect([str(tmp_path)], Selection(tmp_path))
    assert [source.path.name for source in collected.candidates] == ["good.py"]
    assert [(one.code, Path(one.location.path).name) for one in problems] == [("FXO002", "bad.py")]


def test_a_bad_file_that_does_not_mention_the_api_is_nobodys_business(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_bytes(b"x = '\xe9'\n")
    assert collect([str(tmp_path)], Selection(tmp_path))[1] == ()
