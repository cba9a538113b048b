"""What a difference looks like: the known traps, tried one after the other on the first step that differs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .pairing import Pair, UnequalStreamsError, pair
from .recording import Array, Recording, Step

ALIKE: Final = 1e-5
"""Two directions are one if they agree to this share of their length; float32 recordings have no more."""
Tree = Mapping[str, Array]
Hyper = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """The first step that differs: parameters, gradients and displacements, all flat, and flax's numbers."""

    number: int
    optimizer: str
    params: Tree
    grads: tuple[Tree, Tree]
    moved: tuple[Tree, Tree]
    state: Tree
    hyper: Hyper
    rates: Sequence[float]
    together: bool
    """Nothing but the state differs."""

    @property
    def rate(self) -> float:
        """Flax's learning rate."""
        return self.hyper.get("learning_rate", 0.0)


def likely_cause(before: Recording, after: Recording) -> str:
    """The trap that explains the first difference, or nothing."""
    try:
        pairs = pair(before, after)
    except UnequalStreamsError:
        return ""
    scenes = [scene for one in pairs if (scene := _scene(one, before, after)) is not None]
    apart = [scene for scene in scenes if not scene.together]
    for scene in sorted(apart or scenes, key=lambda one: one.number)[:1]:
        return next((cause for test in TRAPS if (cause := test(scene))), "")
    return ""


def _frozen(scene: Scene) -> str:
    old, new = scene.moved
    trained = [path for path in old if not old[path].any() and new[path].any()]
    stopped = [path for path in old if old[path].any() and not new[path].any()]
    if trained and "LAMB" in scene.optimizer and not scene.params[trained[0]].any():
        return f"flax's LAMB never moves a parameter that is zero; {trained[0]} is trained (`optax.lamb` does that)."
    if trained:
        return (
            f"{trained[0]} is frozen in flax, because no traversal matches it, and is trained here."
        )
    return f"{stopped[0]} is trained in flax and frozen here." if stopped else ""


def _clip(scene: Scene) -> str:
    factor = _factor(scene.grads[1], scene.grads[0])
    if factor is None or abs(factor - 1) < ALIKE:
        return ""
    if _explains(scene, factor) and abs(factor) > 1:
        return f"A clip is missing: the gradients that arrive are {factor:.4g} times those of flax."
    return ""


def _scaled(scene: Scene) -> str:
    factor = _factor(scene.moved[1], scene.moved[0])
    if factor is None:
        return ""
    if abs(factor + 1) < ALIKE:
        return "The sign is turned: the parameters ascend."
    if scene.rate and abs(factor * scene.rate + 1) < ALIKE:
        return "The learning rate is missing: the updates are neither scaled nor negated."
    if scene.rate and abs(factor * scene.rate - 1) < ALIKE:
        return "The learning rate is missing: the updates are not scaled."
    if abs(factor - 1) < ALIKE:
        return ""
    neighbours = scene.rates[max(scene.number - 2, 0) : scene.number + 1]
    if any(abs(rate - factor * scene.rate) < ALIKE * abs(rate) for rate in neighbours):
        return "The schedule is off by one step: the rate is that of a neighbouring step."
    return f"Every update is {factor:.6g} times that of flax: the rate, the schedule or a clip differs."


def _momentum(scene: Scene) -> str:
    plain = {path: -scene.rate * grad for path, grad in scene.grads[1].items()}
    if "Momentum" not in scene.optimizer or not _near(scene.moved[1], plain):
        return ""
    beta = scene.hyper.get("beta", 0.9)
    return f"The momentum is missing: flax's default is 0.9 (here {beta:g}), `optax.sgd` has none."


def _decay(scene: Scene) -> str:
    decay = scene.hyper.get("weight_decay", scene.hyper.get("weight_decay_rate", 0.0)) or 0.0
    extra = {path: scene.moved[1][path] - scene.moved[0][path] for path in scene.params}
    factor = _factor(extra, scene.params)
    if factor is not None:
        if decay and abs(factor - decay * (1 + scene.rate)) < ALIKE * factor:
            return "The weight decay is added after the scaling by the rate: the weights grow."
        if decay and abs(factor - scene.rate * decay) < ALIKE * abs(factor):
            return f"The weight decay of {decay:g} is missing."
        return f"The weight decay differs: the parameters shrink by {-factor:.3g} more per step than in flax."
    if decay and scene.number == 1 and not _near(*scene.moved):
        return "The weight decay is coupled differently: before or after the moments."
    return ""


def _coupling(scene: Scene) -> str:
    decay = scene.hyper.get("weight_decay") or 0.0
    if decay and scene.number > 1:
        return "The weight decay is coupled differently: inside the moments on one side only."
    return ""


def _eps_in_root(scene: Scene) -> str:
    eps = scene.hyper.get("eps", 0.0)
    for root in (eps, eps**2):
        guess = {path: _rooted(scene, path, root) for path in scene.params}
        if all(array is not None for array in guess.values()) and _nearer(scene, guess):
            return "eps is inside the square root; flax adds it to the root."
    return ""


TRAPS: Final[Sequence[Callable[[Scene], str]]] = (
    _frozen,
    _clip,
    _scaled,
    _momentum,
    _eps_in_root,
    _decay,
    _coupling,
)


def _rooted(scene: Scene, path: str, eps: float) -> Array | None:
    """The displacement of RMSProp or Adam, had they eps inside of the root."""
    grad = scene.grads[0][path]
    if scene.optimizer == "RMSProp" and f"{path}/v" in scene.state:
        return np.asarray(-scene.rate * grad / np.sqrt(scene.state[f"{path}/v"] + eps))
    mean, square = (scene.state.get(f"{path}/{name}") for name in ("grad_ema", "grad_sq_ema"))
    if scene.optimizer != "Adam" or mean is None or square is None:
        return None
    step = float(scene.state["step"])
    mean = mean / (1 - scene.hyper["beta1"] ** step)
    square = square / (1 - scene.hyper["beta2"] ** step)
    decay = scene.hyper.get("weight_decay") or 0.0
    return np.asarray(-scene.rate * (mean / np.sqrt(square + eps) + decay * scene.params[path]))


def _scene(one: Pair, before: Recording, after: Recording) -> Scene | None:
    rates = [_hyper(before, step).get("learning_rate", 0.0) for step in one.before]
    for number, (old, new) in enumerate(zip(one.before, one.after, strict=True), start=1):
        if "new_params" not in old.parts or "new_params" not in new.parts:
            return None
        moved = _moved(before, old), _moved(after, new)
        if moved[0].keys() != moved[1].keys():
            return None
        together = _near(*moved, share=1e-9)
        if not together or number == len(one.before):
            grads = _wide(before, old, "grads"), _wide(after, new, "grads")
            params = _wide(before, old, "params")
            state = {
                path.removeprefix("param_states/"): array
                for path, array in _wide(before, old, "new_state").items()
            }
            hyper = _hyper(before, old)
            optimizer = str(old.note.get("optimizer", ""))
            return Scene(number, optimizer, params, grads, moved, state, hyper, rates, together)
    return None


def _moved(recording: Recording, step: Step) -> Tree:
    old, new = _wide(recording, step, "params"), _wide(recording, step, "new_params")
    return {path: new[path] - old[path] for path in new if path in old}


def _wide(recording: Recording, step: Step, part: str) -> dict[str, Array]:
    tree = recording.tree(step.parts.get(part, {}))
    return {path: array.astype(np.float64) for path, array in tree.items()}


def _hyper(recording: Recording, step: Step) -> dict[str, float]:
    """By name; of a MultiOptimizer the first."""
    found: dict[str, float] = {}
    for path, ref in step.parts.get("hyper", {}).items():
        array = recording.array(ref)
        if array.size == 1:
            found.setdefault(path.rpartition("/")[2], float(array))
    return found


def _explains(scene: Scene, factor: float) -> bool:
    """Whether other gradients are why the parameters move differently, and not a clip inside of the transformation."""
    return not _near(*scene.moved)


def _nearer(scene: Scene, guess: Mapping[str, Array | None]) -> bool:
    known = {path: array for path, array in guess.items() if array is not None}
    own, other = _gap(scene.moved[1], known), _gap(scene.moved[1], scene.moved[0])
    return own < other * 1e-3


def _near(left: Tree, right: Tree, share: float = ALIKE) -> bool:
    length = _flat(left, left) @ _flat(left, left)
    return bool(_gap(left, right) <= share * np.sqrt(length))


def _gap(left: Tree, right: Tree) -> float:
    return float(np.linalg.norm(_flat(left, left) - _flat(right, left)))


def _factor(left: Tree, right: Tree) -> float | None:
    """k where left = k * right."""
    one, other = _flat(left, left), _flat(right, left)
    square = other @ other
    if not square or not one.any():
        return None
    factor = float(one @ other / square)
    apart = np.linalg.norm(one - factor * other)
    return factor if apart <= ALIKE * np.linalg.norm(one) else None


def _flat(tree: Tree, order: Tree) -> Array:
    parts: Iterator[Array] = (np.nan_to_num(tree[path]).ravel() for path in order if path in tree)
    return np.concatenate([np.zeros(0), *parts])
