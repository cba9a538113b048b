"""Imports that go, imports that come, and the comments that stay."""

import pytest

from flax2optax.codemod.rewrite.imports import settle_imports

GONE = ("flax.optim",)


def settled(before: str, after: str, *lines: str, supports: tuple[str, ...] = ()) -> str:
    """`before` is the old file, `after` the same with its edits, before its imports are looked at."""
    newline = "\r\n" if "\r\n" in after else "\n"
    return settle_imports(after, before, lines, supports, newline, GONE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import jax\n",
        "import unused\n",
        "from . import flax, optim\n",
        "try:\n  import jax\nexcept ImportError:\n  jax = None\n",
        "if x:\n  import a; import b\n",
        "x = (\n",
    ],
)
def test_nothing_to_do(text: str) -> None:
    assert settled(text, text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import flax.optim\nimport jax\n", "import jax\n"),
        ("from flax import optim, struct\n", "from flax import struct\n"),
        ("from flax import linen, optim, struct\n", "from flax import linen, struct\n"),
        ("from flax import linen, optim\n", "from flax import linen\n"),
        ("from flax.optim import Adam as A, Momentum\n", ""),
        (
            "from flax import linen\nfrom flax.optim import (\n    Adam,\n)\n",
            "from flax import linen\n",
        ),
        ("import flax.optim\nx = flax.linen\n", "import flax\nx = flax.linen\n"),
        ("import flax\nimport flax.optim\nx = flax.linen\n", "import flax\nx = flax.linen\n"),
        ("import flax.optim\nimport flax\nx = flax.linen\n", "import flax\nx = flax.linen\n"),
        (
            "import flax.optim\nx = flax.linen\nimport flax\n",
            "import flax\nx = flax.linen\nimport flax\n",
        ),
        ("import flax.optim, jax\n", "import jax\n"),
        ("import flax.optim; import jax\n", "import jax\n"),
        ("def f():\n  import flax.optim\n", "def f():\n  pass\n"),
        ("def f():\n  import flax.optim\n  import flax.optim as o\n", "def f():\n  pass\n"),
        ("if x: import flax.optim\n", "if x: pass\n"),
        ("import flax.optim  # noqa: F401\n", ""),
        ("import flax.optim  # the optimizers\n", "# the optimizers\n"),
        ("import flax.optim  # the optimizers\r\nx\r\n", "# the optimizers\r\nx\r\n"),
        (
            "from flax import (\n    linen,\n    optim,  # why\n    struct,\n)\n",
            "# why\nfrom flax import (\n    linen,\n    struct,\n)\n",
        ),
        ("from flax.optim import (\n    Adam,  # why\n)\nx\n", "# why\nx\n"),
        ("from flax import a, optim, optim as o\n", "from flax import a\n"),
    ],
)
def test_what_is_gone_leaves(before: str, after: str) -> None:
    assert settled(before, before) == after


def test_what_lost_its_last_use_leaves_and_what_never_had_one_stays() -> None:
    before = "import a\nimport b\nimport c\na.x\nb.x: 'c.y'\n"
    assert settled(before, before.replace("a.x\n", "")) == "import b\nimport c\nb.x: 'c.y'\n"


@pytest.mark.parametrize(
    ("text", "lines", "after"),
    [
        ("import optax\n", ["import optax"], "import optax\n"),
        ("x = 1\n", ["import optax"], "import optax\nx = 1\n"),
        ('"""Doc."""\nx = 1\n', ["import optax"], '"""Doc."""\nimport optax\nx = 1\n'),
        (
            "from __future__ import annotations\n\nx = 1\n",
            ["import optax"],
            "from __future__ import annotations\nimport optax\n\nx = 1\n",
        ),
        (
            "import os\n\nimport flax\nimport jax\nimport numpy\n",
            ["import optax"],
            "import os\n\nimport flax\nimport jax\nimport numpy\nimport optax\n",
        ),
        (
            "import jax\nimport tqdm\n",
            ["import optax", "from flax.training import train_state"],
            "from flax.training import train_state\nimport jax\nimport optax\nimport tqdm\n",
        ),
        ("import jax\r\nx\r\n", ["import optax"], "import jax\r\nimport optax\r\nx\r\n"),
        ("import jax", ["import optax"], "import jax\nimport optax\n"),
        (
            "import jax\nfrom . import a\n",
            ["import optax"],
            "import jax\nimport optax\nfrom . import a\n",
        ),
    ],
)
def test_what_is_needed_comes(text: str, lines: list[str], after: str) -> None:
    assert settled(text, text, *lines) == after


def test_a_support_stands_below_the_imports_in_the_style_of_the_file() -> None:
    text = 'import jax\n\n\ndef f():\n\treturn "a"\n'
    after = settled(text, text, "import optax", supports=("lamb_trust_ratio",))
    assert after.startswith("import jax\n")
    assert after.endswith('\n\n\ndef f():\n\treturn "a"\n')
    assert "\n\n\ndef " in after and "\n  " not in after


def test_a_line_takes_the_place_of_the_only_import() -> None:
    before = '"""What it is."""\n\nimport flax\n\n\nx = flax.optim\n'
    after = before.replace("x = flax.optim", "x = optax")
    expected = '"""What it is."""\n\nimport optax\n\n\nx = optax\n'
    assert settled(before, after, "import optax") == expected


def test_a_support_stands_above_the_code_that_runs_with_it() -> None:
    text = "import jax\nx = lamb_trust_ratio()\nimport os\n\n\ndef f():\n  return os, jax, x\n"
    after = settled(text, text, supports=("lamb_trust_ratio",))
    assert after.index("def lamb_trust_ratio") < after.index("x = lamb_trust_ratio()")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (  # imports of the program's own files below the sorted ones
            "from absl import app\nimport flax\nimport jax\nimport tensorflow as tf\n"
            "import checkpoint_utils  # local\nimport data_utils  # local\nimport train_utils  # local\n",
            "from absl import app\nimport flax\nfrom flax.training import train_state\nimport jax\n"
            "import optax\nimport tensorflow as tf\n"
            "import checkpoint_utils  # local\nimport data_utils  # local\nimport train_utils  # local\n",
        ),
        (  # `import` above `from`
            "import flax\nimport jax\nimport numpy as np\nfrom flax import linen as nn\nfrom tensorflow import jax\n",
            "import flax\nimport jax\nimport numpy as np\nimport optax\nfrom flax import linen as nn\n"
            "from flax.training import train_state\nfrom tensorflow import jax\n",
        ),
        (  # `from` above `import`
            "from flax import linen as nn\nfrom typing import Any\nimport jax\nimport numpy as np\n",
            "from flax import linen as nn\nfrom flax.training import train_state\nfrom typing import Any\n"
            "import jax\nimport numpy as np\nimport optax\n",
        ),
        (  # in no order
            "import jax\nimport flax\nfrom typing import Any\nimport functools\n",
            "import jax\nimport flax\nfrom flax.training import train_state\nimport optax\n"
            "from typing import Any\nimport functools\n",
        ),
    ],
)  # fmt: skip
def test_lines_go_where_their_like_are(before: str, after: str) -> None:
    uses = "flax, jax, np, nn, tf, Any, app, functools, checkpoint_utils, data_utils, train_utils\n"
    lines = ("import optax", "from flax.training import train_state")
    assert settled(before + uses, before + uses, *lines) == after + uses
