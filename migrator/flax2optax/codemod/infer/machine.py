"""The state of the analysis: frames (summaries of functions), heap cells, and who must run again when one grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.tree import Class, Function, Module, NodeId
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Atom,
    External,
    Free,
    Optimizer,
    Value,
    flat,
    join,
    shape,
)

MAX_FRAMES = 16  # per function and enclosing frame; beyond that all calls share one summary
MAX_RUNS = 40  # of one frame; a lattice this shallow settles in three or four
MAX_NESTED = 60
ABSENT_BASE = External("a class that is not there")


@dataclass(slots=True, eq=False)
class Frame:
    """One function (or module, where `function` is None) under one kind of arguments."""

    index: int
    function: Function | None
    module: Module
    parent: Frame | None
    parameters: dict[str, Value] = field(default_factory=dict)
    variables: dict[str, Value] = field(default_factory=dict)  # every value each name ever held
    returned: Value = NOTHING
    # By name, '' for the result: the frames that read it, and in which of their runs they last did.
    readers: dict[str, dict[int, int]] = field(default_factory=dict)
    dirty: bool = True
    running: bool = False
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Escape:
    """An optimizer goes where it cannot be followed: at `node`, into `into`."""

    node: NodeId
    kind: str
    into: str
    value: Value


@dataclass(slots=True)
class Absent:
    """What the program does with a class that is not there: the attributes it asks for, and where it makes objects."""

    asked: dict[str, NodeId] = field(default_factory=dict)
    made: dict[NodeId, None] = field(default_factory=dict)


class Machine:
    """Frames, heap and facts of one program. `run` executes one frame; the interpreter provides it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.open: set[str] = set()  # files that are read into; packages' own files always are
        self.wanted: set[str] = set()  # files that an optimizer goes into, to be opened
        self.frames: list[Frame] = []
        self.frames_of: dict[NodeId, list[Frame]] = {}  # by function
        self.by_key: dict[Hashable, Frame] = {}
        self.frame_count: dict[Hashable, int] = {}
        self.cells: dict[Hashable, Value] = {}
        self.carried_over: dict[NodeId, frozenset[str]] = {}  # a loop's first statement -> names
        self.wholes: dict[Hashable, Value] = {}  # all the cells of an owner, joined
        self.orders: dict[NodeId, list[NodeId]] = {}  # of classes: where attributes are looked up
        self.cell_readers: dict[tuple[Hashable, Hashable], dict[int, int]] = {}
        self.cell_fields: dict[Hashable, dict[Hashable, None]] = {}
        self.values: dict[NodeId, Value] = {}
        self.callees: dict[NodeId, set[tuple[NodeId, int, bool]]] = {}
        self.bindings: dict[NodeId, dict[tuple[NodeId, str], None]] = {}
        self.escapes: dict[Escape, None] = {}
        self.called: set[NodeId] = set()
        self.really_called: set[NodeId] = set()  # from code of the program that is itself reached
        self.called_back: set[Atom] = (
            set()
        )  # callables that a library got, called once with parameters nobody passes
        self.imagined: set[NodeId] = set()  # called with parameters nobody passes
        self.known_calls: frozenset[NodeId] = frozenset()  # really called in an earlier pass
        self.functions: dict[NodeId, Function] = {}
        self.classes: dict[NodeId, Class] = {}
        self.absent_classes: dict[NodeId, Absent] = {}  # of files that are not there
        self.absent_modules: dict[str, str] = {}  # dotted name -> where the file would be
        self.assumed: dict[NodeId, str] = {}  # site -> 'annotation' or 'use'
        self.free_uses: dict[tuple[NodeId, str], dict[str, NodeId]] = {}
        self.missing_fields: dict[tuple[NodeId, str], dict[NodeId, None]] = {}
        # Free parameters, and fields that nothing sets, taken for optimizers.
        self.believed: dict[tuple[NodeId, str], Value] = {}
        self.field_sites: dict[tuple[NodeId, str], NodeId] = {}
        self.dynamic: dict[NodeId, str] = {}  # places where a name of flax.optim is computed
        # Calls that put the leaves of optimizers in a row, by the order of the tree's structure.
        self.flattened: dict[NodeId, Value] = {}
        self.rebuilt: dict[NodeId, Value] = {}  # calls that build optimizers from such rows
        self.definitions: dict[NodeId, Value] = {}  # constructor call -> its class
        self.queue: deque[Frame] = deque()
        self.depth = 0
        self.run: Callable[[Frame], None] = lambda frame: None
        self.call_bound: Callable[..., Value] = lambda frame, node, bound, *given: NOTHING
        for class_ in program.absent_classes.values():
            self.absent_class(class_)

    def opens(self, reader: Frame, path: str) -> bool:
        """Whether a file is read into; the reader runs again when it is opened."""
        if path in self.open or path.endswith("__init__.py"):
            return True
        self.load(reader, ("opened", path), "*")
        return False

    def want(self, names: Iterable[str]) -> None:
        """Ask for the files of these library names, as far as they are files of the program."""
        for name in names:
            if name.startswith("project:"):
                self.wanted.add(name.split(":")[1])

    # Frames

    def module_frame(self, path: str) -> Frame:
        """The frame of a module's top level."""
        key = ("module", path)
        if key not in self.by_key:
            module = self.program.module(path)
            self.by_key[key] = self._new(None, module, None)
            self.functions.update((f.id, f) for f in module.functions)
            self.classes.update((c.id, c) for c in module.classes)
            self.queue.append(self.by_key[key])
        return self.by_key[key]

    def absent_class(self, class_: Class) -> None:
        """Know a class of a file that is not there."""
        self.classes[class_.id] = class_
        self.absent_classes[class_.id] = Absent()
        self.store(("bases", class_.id), 0, frozenset((ABSENT_BASE,)))

    def frame(
        self, function: Function, parent: Frame | None, parameters: dict[str, Value]
    ) -> Frame:
        """The summary of `function` for arguments of these kinds, with the arguments joined in."""
        kinds = tuple(
            sorted((name, kind) for name, value in parameters.items() if (kind := shape(value)))
        )
        place = (function.id, parent.index if parent else -1)
        key: Hashable = (*place, kinds)
        if key not in self.by_key:
            count = self.frame_count[place] = self.frame_count.get(place, 0) + 1
            if count > MAX_FRAMES:
                key = (*place, "merged")
        if key not in self.by_key:
            self.by_key[key] = self._new(function, function.module, parent)
        frame = self.by_key[key]
        for name, value in parameters.items():
            self.assign_parameter(frame, name, value)
        return frame

    def assign_parameter(self, frame: Frame, name: str, value: Value) -> None:
        """Join an argument into a frame's parameter."""
        old = frame.parameters.get(name, NOTHING)
        new = join(old, value)
        if new != old:
            frame.parameters[name] = new
            self.assign(frame, name, new)
            self.soil(frame)

    def _new(self, function: Function | None, module: Module, parent: Frame | None) -> Frame:
        frame = Frame(len(self.frames), function, module, parent)
        self.frames.append(frame)
        if function is not None:
            self.frames_of.setdefault(function.id, []).append(frame)
        return frame

    def soil(self, frame: Frame) -> None:
        """Mark a frame to be run again."""
        if not frame.dirty:
            frame.dirty = True
            self.queue.append(frame)

    def ensure(self, frame: Frame) -> None:
        """Run a frame now if it is due and not under way; otherwise it waits in the queue."""
        if not frame.dirty or frame.running:
            return
        if self.depth >= MAX_NESTED:
            self.queue.append(frame)
            return
        self.execute(frame)

    def execute(self, frame: Frame) -> None:
        """Run a frame once."""
        frame.dirty, frame.running = False, True
        frame.runs += 1
        self.depth += 1
        try:
            if frame.runs <= MAX_RUNS:
                self.run(frame)
        finally:
            self.depth -= 1
            frame.running = False

    def settle(self) -> None:
        """Run until nothing changes."""
        while self.queue:
            frame = self.queue.popleft()
            if frame.dirty and not frame.running:
                self.execute(frame)

    # Variables and results

    def assign(self, frame: Frame, name: str, value: Value) -> None:
        """Record that a name may hold a value, for closures and other modules."""
        old = frame.variables.get(name, NOTHING)
        new = join(old, value)
        if new != old:
            frame.variables[name] = new
            self._wake(frame.readers.get(name))

    def read(self, reader: Frame, frame: Frame, name: str) -> Value:
        """Every value a name of another frame ever holds."""
        frame.readers.setdefault(name, {})[reader.index] = reader.runs
        return frame.variables.get(name, NOTHING)

    def finish(self, frame: Frame, value: Value) -> None:
        """Join a returned value into the frame's result."""
        new = join(frame.returned, value)
        if new != frame.returned:
            frame.returned = new if frame.runs < MAX_RUNS - 2 else flat(new)
            self._wake(frame.readers.get(""))

    def result(self, reader: Frame, frame: Frame) -> Value:
        """A frame's result; the reader runs again when it grows."""
        frame.readers.setdefault("", {})[reader.index] = reader.runs
        return frame.returned

    # Heap

    def store(self, owner: Hashable, key: Hashable, value: Value) -> None:
        """Join a value into a field of a heap object."""
        if not value:
            return
        cell = (owner, key)
        fields = self.cell_fields.setdefault(owner, {})
        if key not in fields:
            fields[key] = None
            self._wake(self.cell_readers.get((owner, None)))
        old = self.cells.get(cell, NOTHING)
        new = join(old, value)
        if new != old:
            self.cells[cell] = new
            if isinstance(owner, tuple) and owner[0] == "bases":
                self.orders.clear()
            self.wholes[owner] = join(self.wholes.get(owner, NOTHING), new)
            self._wake(self.cell_readers.get(cell))
            self._wake(self.cell_readers.get((owner, None)))

    def load(self, reader: Frame, owner: Hashable, key: Hashable) -> Value:
        """A field of a heap object."""
        self.cell_readers.setdefault((owner, key), {})[reader.index] = reader.runs
        return self.cells.get((owner, key), NOTHING)

    def load_all(self, reader: Frame, owner: Hashable) -> Value:
        """All fields of a heap object, joined."""
        self.cell_readers.setdefault((owner, None), {})[reader.index] = reader.runs
        return self.wholes.get(owner, NOTHING)

    def owned_cells(self) -> Iterator[tuple[Hashable, Value]]:
        """Every cell's owner and value."""
        for owner, fields in self.cell_fields.items():
            for key in fields:
                yield owner, self.cells.get((owner, key), NOTHING)

    def fields(self, owner: Hashable) -> tuple[Hashable, ...]:
        """The keys a heap object is known to have."""
        return tuple(self.cell_fields.get(owner, ()))

    def wake_readers(self, owners: Container[Hashable]) -> None:
        """Run everything again that has read a field of these heap objects."""
        for (owner, _), readers in list(self.cell_readers.items()):
            if owner in owners:
                self._wake(readers)

    def _wake(self, readers: dict[int, int] | None) -> None:
        """Run readers again, but for those under way that have not read it in this run yet."""
        for index, run in (readers or {}).items():
            frame = self.frames[index]
            if not frame.running or run == frame.runs:
                self.soil(frame)

    # Assumptions

    def assume(self, site: NodeId, why: str) -> None:
        """An optimizer is taken to be at `site` because of an annotation or a use, not because it was seen."""
        self.assumed.setdefault(site, why)

    def field_site(self, class_id: NodeId, name: str) -> NodeId:
        """The site of an optimizer that is only known from a field's annotation."""
        return self.field_sites.get((class_id, name), class_id)

    def believe(self, owner: NodeId, path: str, value: Value) -> None:
        """Take a parameter nobody passes, or a field that nothing sets, for something; what has read it runs again."""
        self.believed[owner, path] = value
        self.store(("believed", owner), path, OTHER)
        for frame in self.frames_of.get(owner, ()):
            if Free(owner, path) in frame.parameters.get(path, NOTHING):
                self.assign_parameter(frame, path, value)

    def free(self, reader: Frame, function: NodeId, path: str) -> Value:
        """A parameter (or attribute path) nobody passes: unknown, unless it is believed to be something."""
        self.load(reader, ("believed", function), path)
        found = self.believed.get((function, path))
        for atom in found or ():
            if isinstance(atom, Optimizer):
                self.assume(atom.site, "use")
        return found or frozenset((Free(function, path),))

    def missing(self, reader: Frame, class_id: NodeId, name: str, node: NodeId) -> Value:
        """A field that nothing gives its class: code that cannot run, unless it is believed to hold something."""
        self.load(reader, ("believed", class_id), name)
        self.missing_fields.setdefault((class_id, name), {})[node] = None
        return self.believed.get((class_id, name), NOTHING)

    # Facts

    def record(self, node: NodeId, value: Value) -> Value:
        """Join what an expression may hold into the facts."""
        old = self.values.get(node)
        if old is None:
            self.values[node] = value
        elif value is not old and not value <= old:
            self.values[node] = join(old, value)
        return value
