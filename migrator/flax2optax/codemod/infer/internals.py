"""Names of what JAX is made of, wherever a version of it keeps them."""

from __future__ import annotations

import re

from flax2optax.codemod.infer.objects import STRUCTURE
from flax2optax.codemod.infer.values import Atom, External, Partial

WRAPPED = "jax.linear_util.WrappedFun"  # of a function, and of the arguments that are known already
RESULT = "jax.linear_util.out_tree"
_HOMES = re.compile(r"jax\.(?:_src\.|extend\.)?(?:linear_util|api_util|util)\.(\w+)")
# What `jax` and `jax.tree_util` have, where it is defined.
_API = re.compile(r"jax\.(?:_src\.)?api\.(?P<api>[a-z]\w*)|jax\._src\.tree_util\.(?P<tree>\w+)")
_KNOWN = frozenset({
    "wrap_init", "argnums_partial", "flatten_fun", "flatten_fun_nokwargs", "HashableFunction", "safe_map", "safe_zip",
    "donation_vector", "flatten_axes", "shaped_abstractify", "rebase_donate_argnums", "debug_info",
})  # fmt: skip
_PYTHON = {"partial": "functools.partial", "wraps": "functools.wraps"}
# Modules of JAX that know leaves alone and put no tree together.
_INTERNAL = re.compile(r"jax\.(?:_src\.)?(?:core|interpreters|lib)\.")


def home(name: str) -> str:
    """The one name of a function of JAX's own that versions keep in several places; other names as they are."""
    public = _API.fullmatch(name)
    if public is not None:
        return f"jax.{public['api'] or 'tree_util.' + public['tree']}"
    found = _HOMES.fullmatch(name)
    if found is None:
        return name
    return f"lifted.{found[1]}" if found[1] in _KNOWN else _PYTHON.get(found[1], name)


def is_internal(name: str) -> bool:
    """Whether a library's function belongs to what JAX is made of."""
    return _INTERNAL.match(name) is not None


def is_structure(atom: Atom) -> bool:
    """Whether an atom is a tree's structure, or a function that is called with leaves."""
    return isinstance(atom, Partial) and atom.function in _OPAQUE


_OPAQUE = (External(STRUCTURE), External(WRAPPED), External(RESULT))
