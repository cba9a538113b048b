"""The environment of a statement: what each local name holds here, and how other names are found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from flax2optax.codemod.index.tree import Class, Import, NodeId
from flax2optax.codemod.index.walk import set_from_inside
from flax2optax.codemod.infer.absent import imported_absent, note_absent
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    External,
    ModuleRef,
    OptimizerClass,
    Value,
    join,
    one,
)

OPTIMIZER_CLASSES = frozenset({
    "Adam", "AdaBelief", "Adadelta", "Adafactor", "Adagrad", "GradientDescent", "LAMB", "LARS",
    "Momentum", "MultiOptimizer", "Optimizer", "OptimizerDef", "OptimizerState", "RMSProp", "WeightNorm",
    "ReplicatedOptimizer",
})  # fmt: skip
PROJECT = (
    "project:"  # a name of a file that is not opened: nothing of an optimizer is known to go there
)


@dataclass(slots=True)
class Env:
    """Where a statement runs. `dead` after a return, raise, break or continue."""

    frame: Frame
    vars: dict[str, Value]
    class_: Class | None = None
    class_names: set[str] = field(default_factory=set)
    dead: bool = False
    breaks: list[dict[str, Value]] | None = None

    def fork(self) -> Env:
        """A copy for one branch."""
        return Env(
            self.frame, dict(self.vars), self.class_, self.class_names, self.dead, self.breaks
        )

    def merge(self, *branches: Env) -> None:
        """Become the join of the branches that are still alive."""
        alive = [b for b in branches if not b.dead]
        self.dead = not alive
        if alive:
            self.vars = merged([b.vars for b in alive])


def merged(tables: list[dict[str, Value]]) -> dict[str, Value]:
    """Join tables of names; a name missing in one keeps the other's value."""
    result = dict(tables[0])
    for table in tables[1:]:
        for name, value in table.items():
            old = result.get(name)
            result[name] = value if old is None or old is value else join(old, value)
    return result


# What `jax` and `jax.tree_util` have, where versions define it.
_DEFINED = re.compile(
    r"jax\.(?:_src\.)?(?:api\.(?P<api>[a-z]\w*)|(?<=_src\.)tree_util\.(?P<tree>\w+))"
)


@cache
def library(name: str) -> Value:
    """A library object by its dotted name, the public one; flax.optim's classes are told apart."""
    defined = _DEFINED.fullmatch(name)
    if defined is not None:
        return library(f"jax.{defined['api'] or 'tree_util.' + defined['tree']}")
    if name.startswith("flax.optim"):
        last = name.rsplit(".", 1)[-1]
        if last in OPTIMIZER_CLASSES:
            return one(OptimizerClass(last))
    return one(External(name))


def lookup(m: Machine, env: Env, name: str) -> Value:
    """What a name holds here."""
    if env.class_ is not None and name in env.class_names:
        return env.vars.get(name, NOTHING)
    frame: Frame | None = env.frame
    assert frame is not None
    if frame.function is None:
        found = env.vars.get(name)
        if found is None or name in set_from_inside(frame.module):
            found = join(found or NOTHING, _global(m, env, frame, name))
        return found
    if name in frame.function.locals:
        found = env.vars.get(name, NOTHING)
        return (
            join(found, m.read(frame, frame, name))
            if name in set_from_inside(frame.module)
            else found
        )
    while frame is not None and frame.function is not None:
        if frame is not env.frame and name in frame.function.locals:
            return m.read(env.frame, frame, name)
        frame = frame.parent
    module = m.module_frame(env.frame.module.path)
    return _global(m, env, module, name)


def _global(m: Machine, env: Env, module: Frame, name: str) -> Value:
    value = m.read(env.frame, module, name)
    if value or name in module.module.bound:
        return value
    for path in star_imports(m, module):
        value = member(m, env.frame, path, name)
        if value:
            return value
    for statement in module.module.imports:  # `from flax.optim import *`
        if (
            statement.is_from
            and not statement.aliases
            and (statement.module or "").startswith("flax")
        ):
            found = library(f"{statement.module}.{name}")
            if isinstance(next(iter(found)), OptimizerClass):
                return found
    return one(External("builtins." + name))


def star_imports(m: Machine, module: Frame) -> list[str]:
    """Project files a module imports everything from."""
    found = []
    for statement in module.module.imports:
        if statement.is_from and not statement.aliases:
            path = m.program.resolve(module.module.path, statement)
            if path is not None and not path.endswith("/"):
                found.append(path)
    return found


def member(m: Machine, reader: Frame, path: str, name: str) -> Value:
    """A name of a project module as another module sees it; a submodule if it has no such name."""
    if not path.endswith("/"):
        if not m.opens(reader, path):
            return one(External(f"{PROJECT}{path}:{name}"))
        frame = m.module_frame(path)
        m.ensure(frame)
        value = m.read(reader, frame, name)
        if value:
            return value
        if name not in frame.module.bound:
            for star in star_imports(m, frame):
                value = member(m, reader, star, name) if star != path else NOTHING
                if value:
                    return value
    folder = (
        path.rstrip("/") if path.endswith("/") else path.removesuffix("__init__.py").rstrip("/")
    )
    if path.endswith(("/", "__init__.py")):
        found = m.program.find(folder, name)
        if found is not None and found != path:
            return one(ModuleRef(found))
    return NOTHING


def imported(m: Machine, env: Env, statement: Import) -> list[tuple[str, Value, NodeId]]:
    """The names an import binds, with what they mean and the alias's id."""
    path = env.frame.module.path
    bound: list[tuple[str, Value, NodeId]] = []
    if not statement.is_from:
        for alias in statement.aliases:
            bound.append((*_plain_import(m, env, statement, alias.name, alias.asname), alias.id))
        return bound
    file = m.program.resolve(path, statement)
    for alias in statement.aliases:
        if file is not None:
            value = member(m, env.frame, file, alias.name)
            value = value or imported_absent(m, path, statement, alias)
        elif absent := imported_absent(m, path, statement, alias):
            value = absent
        elif statement.level:
            value = OTHER
        else:
            value = library(f"{statement.module}.{alias.name}")
        bound.append((alias.asname or alias.name, value, alias.id))
    return bound


def _plain_import(
    m: Machine, env: Env, statement: Import, dotted: str, asname: str | None
) -> tuple[str, Value]:
    path = env.frame.module.path
    name = asname or dotted.split(".")[0]
    wanted = dotted if asname else name
    whole = m.program.resolve(path, statement, dotted)
    if whole is None:
        note_absent(m, path, statement, dotted)
        return name, library(wanted)
    if not whole.endswith("/") and m.opens(env.frame, whole):
        m.ensure(m.module_frame(whole))
    if asname or "." not in dotted:
        return name, one(ModuleRef(whole))
    top = whole
    for _ in range(dotted.count(".")):
        top = top.removesuffix("/__init__.py").rstrip("/").rsplit("/", 1)[0]
    found = m.program.find(top.rsplit("/", 1)[0], name)
    return name, one(ModuleRef(found or top + "/"))
