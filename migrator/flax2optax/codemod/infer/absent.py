"""Classes of the program itself whose file is not there: what is known of one is what the program does with its objects.

An object has the fields it is made with by keyword, as a record has.
A wrong guess fails aloud, because nothing of flax's optimizer has the same name in Optax's state,
and because all that goes into such a class is one flow: it does not matter which of its fields a thing comes out of.
One flow also is what keeps a second run from finding more: what it knows of a class is all there, or all gone.
"""

from __future__ import annotations

from collections.abc import Hashable

from flax2optax.codemod.index.tree import Alias, Import, NodeId
from flax2optax.codemod.infer.machine import ABSENT_BASE, Frame, Machine
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Attr,
    Bound,
    ClassRef,
    FunctionRef,
    Gradient,
    Instance,
    Partial,
    Transformed,
    Value,
    join,
    one,
)

REPLACES = frozenset({"replace", "_replace"})
_CALLED = (FunctionRef, Bound, Partial, Transformed, Gradient, Attr, ClassRef)


def is_absent(m: Machine, class_id: NodeId) -> bool:
    """Whether a class is one of a file that is not there."""
    return class_id in m.absent_classes


def is_absent_object(m: Machine, value: Value) -> bool:
    """Whether a value may be an object of such a class."""
    return any(isinstance(a, Instance) and is_absent(m, a.class_) for a in value)


def imported_absent(m: Machine, path: str, statement: Import, alias: Alias) -> Value:
    """What `from module import Name` binds where the module, or the package's own file, is not there."""
    place = m.program.absent(path, statement) if alias.name[:1].isupper() else None
    return _class(m, place, alias.name) if place is not None else NOTHING


def note_absent(m: Machine, path: str, statement: Import, dotted: str) -> None:
    """Remember the place of a module that `import a.b` names and that is not there."""
    place = m.program.absent(path, statement, dotted)
    if place is not None:
        m.absent_modules[dotted] = place


def absent_member(m: Machine, module: str, name: str) -> Value:
    """`a.b.Name` of a module that is not there; nothing where it is a library's."""
    if module not in m.absent_modules or not name[:1].isupper():
        return NOTHING
    return _class(m, m.absent_modules[module], name)


def absent_attribute(m: Machine, reader: Frame, atom: Instance, name: str, node: NodeId) -> Value:
    """A field is what was given under its name, or something else; a function may have been wrapped in anything."""
    m.absent_classes[atom.class_].asked.setdefault(name, node)
    if name in REPLACES:
        return one(Attr(atom, name))
    given = m.load(reader, fields_of(atom.class_), name)
    return join(frozenset(a for a in given if not isinstance(a, _CALLED)), OTHER)


def seen_bases(m: Machine, base: Value) -> Value:
    """The bases of a class; one that is not there is like a library's, and its other heirs are no relatives."""
    known = frozenset(a for a in base if not (isinstance(a, ClassRef) and is_absent(m, a.class_)))
    return known if known == base else known | {ABSENT_BASE}


def fields_of(class_id: NodeId) -> Hashable:
    """The heap object that holds the fields of such a class."""
    return ("fields", class_id)


def _class(m: Machine, place: str, name: str) -> Value:
    class_ = m.program.absent_class(place, name)
    if class_.id not in m.absent_classes:
        m.absent_class(class_)
    return one(ClassRef(class_.id))
