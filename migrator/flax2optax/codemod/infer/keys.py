"""What a dict or a list surely has at one point of a function: the keyword arguments of a call, and what was appended."""

from __future__ import annotations

from collections.abc import Mapping

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.scope import Env
from flax2optax.codemod.infer.values import Container, Literal, TupleOf, Value, one

MAX_SIGNATURES = 8
MAX_ITEMS = 8
_TRUE = one(Literal(True))


def keywords_site(
    m: Machine, parameter: NodeId, keywords: dict[str, Value], maybe: set[str]
) -> NodeId:
    """Where the dict of these keyword arguments lives: calls with other names or other words have another."""
    words = {key: _words(value) for key, value in keywords.items()}
    signature = tuple(sorted((key, found, key in maybe) for key, found in words.items()))
    site = m.copy_of(parameter, signature, MAX_SIGNATURES)
    if site != parameter:
        m.certain[site] = frozenset(keywords.keys() - maybe)
    return site


def _words(value: Value) -> tuple[str, ...]:
    words = [a.value for a in value if isinstance(a, Literal) and isinstance(a.value, str)]
    return tuple(sorted(words)) if len(words) == len(value) else ()


def keys_given(m: Machine, frame: Frame) -> dict[str, frozenset[str]]:
    """The keys that a function's `**kwargs` have at its start."""
    found: dict[str, frozenset[str]] = {}
    for parameter in frame.function.parameters if frame.function is not None else ():
        site = _only(frame.parameters.get(parameter.name, frozenset()))
        if parameter.kind == "double_star" and site in m.certain:
            found[parameter.name] = m.certain[site]
    return found


def gain(env: Env, owner: t.Expression, key: Value) -> None:
    """After `owner[key] = …`."""
    name, word = _local(env.keys, owner), _word(key)
    if name is not None and word is not None:
        env.keys[name] |= {word}


def lose(m: Machine, env: Env, target: t.Expression) -> None:
    """Before `del owner[key]`."""
    if isinstance(target, t.Subscript):
        for atom in m.values.get(target.value.id, ()):
            if isinstance(atom, Container):
                removed(m, env, atom.site, target.value, target.id)


def removed(m: Machine, env: Env | None, site: NodeId, owner: t.Expression, node: NodeId) -> None:
    """A key is taken out of a dict at `node`; which one is not followed."""
    m.store(("removed", site), node, _TRUE)
    name = _local(env.keys, owner) if env is not None else None
    if env is not None and name is not None:
        del env.keys[name]


def surely_has(
    m: Machine, env: Env | None, site: NodeId, owner: t.Expression, key: Value, node: NodeId
) -> bool:
    """Whether a dict has a key when `node` takes it out."""
    name, word = _local(env.keys, owner) if env is not None else None, _word(key)
    if env is None or name is None or word not in env.keys[name]:
        return False
    m.load_all(env.frame, ("removed", site))
    return set(m.fields(("removed", site))) <= {node}


def sure_keys(m: Machine, env: Env, owner: t.Expression, value: Value) -> frozenset[str]:
    """The keys that a dict has here, whichever it is."""
    name, site = _local(env.keys, owner), _only(value)
    if name is None or site is None:
        return frozenset()
    m.load_all(env.frame, ("removed", site))
    return frozenset() if m.fields(("removed", site)) else env.keys[name]


def begin(env: Env, targets: tuple[t.Expression, ...], value: t.Expression) -> None:
    """After `name = []`: a list that nothing else has."""
    if isinstance(value, t.Sequence) and value.kind == "list" and not value.elements:
        only = targets[0] if len(targets) == 1 else None
        function = env.frame.function
        if isinstance(only, t.Name) and function is not None and only.name in function.locals:
            env.lengths[only.name] = 0


def append(
    m: Machine, env: Env | None, site: NodeId, owner: t.Expression, given: list[Value]
) -> bool:
    """Put an item behind the others of a list, if their number is known."""
    name = _local(env.lengths, owner) if env is not None else None
    at = env.lengths.pop(name) if env is not None and name is not None else MAX_ITEMS
    if env is None or name is None or len(given) != 1 or at >= MAX_ITEMS:
        return False
    if _only(env.vars.get(name, frozenset())) != site or m.load(env.frame, site, "*"):
        return False
    m.grown.add(site)
    if not env.unreal:
        m.store(site, at, given[0])
    env.lengths[name] = at + 1
    return True


def filled(m: Machine, env: Env, owner: t.Expression, value: Value) -> Value:
    """A list as the tuple of the items that it has here, where they are known."""
    name, site = _local(env.lengths, owner), _only(value)
    if name is None or site is None or m.load(env.frame, site, "*"):
        return value
    return one(TupleOf(tuple(m.load(env.frame, site, at) for at in range(env.lengths[name]))))


def _local(known: Mapping[str, object], owner: t.Expression) -> str | None:
    return owner.name if isinstance(owner, t.Name) and owner.name in known else None


def _only(owner: Value) -> NodeId | None:
    atom = next(iter(owner), None)
    return atom.site if len(owner) == 1 and isinstance(atom, Container) else None


def _word(key: Value) -> str | None:
    atom = next(iter(key), None)
    known = len(key) == 1 and isinstance(atom, Literal) and isinstance(atom.value, str)
    return atom.value if known else None  # type: ignore[union-attr]
