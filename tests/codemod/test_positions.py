"""Where nodes stand: the answers of libcst's own provider."""

import libcst as cst
import pytest
from libcst.metadata import ByteSpanPositionProvider

from flax2optax.codemod.index.positions import Positions

TEXTS = {
    "plain": "import a\n\n\n@d(1)\ndef f(x, *, y=(1)):\n    return (x + y)[0], -x\n",
    "no last newline": "x = (yield)\nif x: pass",
    "nothing": "",
    "a comment alone": "# é\n",
    "wide characters": "s = 'é'  # ü\nt = f'{s!r:>{10}} ☃' + (s)\nclass É(object): pass",
    "windows": "with (a) as b, c:\r\n\tx = [i for i in (1, 2) if i]\r\n",
    "a match": "match p:\n  case {'a': (1 | 2), **r}:\n    pass\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_node(text: str) -> None:
    tree = cst.parse_module(text)
    provider = ByteSpanPositionProvider()
    provider._gen_impl(tree)
    found = Positions(tree, text)
    assert len(provider._computed) > 0
    for node, span in provider._computed.items():
        assert found.span(node) == (span.start, span.start + span.length)
