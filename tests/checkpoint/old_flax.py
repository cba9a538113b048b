"""Run as a program: train with a real old flax, out of its wheel, and let it save what it saves.

    python old_flax.py WHEEL CASES FOLDER SEEDS

Seed 0 is the run itself, the others start from disturbed parameters.

Under today's jax; what old flax asks of it and is no longer there, and the parts of flax that have no say here, are stubs.
"""

import functools
import glob
import importlib.abc
import importlib.machinery
import json
import os
import pickle
import sys
import types
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ALIASES = ("tree_flatten", "tree_unflatten", "tree_structure", "tree_leaves", "tree_map")


class Stub(types.ModuleType):
    """A module in which everything is a class that nothing is an instance of."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = Stub(name) if name == "base" else type(name, (), {})
        setattr(self, name, made)
        return made


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes last: what jax no longer has, TensorFlow, and the modules of flax that build models."""

    def find_spec(self, name, path, target=None):
        top, _, rest = name.partition(".")
        if top not in ("jax", "tensorflow") and rest.partition(".")[0] not in (
            "nn",
            "linen",
            "deprecated",
        ):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass


class GFile:
    """TensorFlow's file system, as far as saving goes."""

    makedirs = staticmethod(functools.partial(os.makedirs, exist_ok=True))
    glob = staticmethod(glob.glob)
    isdir = staticmethod(os.path.isdir)
    exists = staticmethod(os.path.exists)
    GFile = staticmethod(open)
    remove = staticmethod(os.remove)

    @staticmethod
    def rename(old, new, overwrite=False):
        os.replace(old, new)


def serve(wheel):
    """Make an old flax importable, in place of the installed one."""
    for name in ALIASES:
        setattr(jax, name, getattr(jax.tree_util, name))
    jax.tree_multimap = jax.tree_util.tree_multimap = jax.tree_util.tree_map
    jax.tree_util.register_keypaths = lambda *given: None
    jax.xla = types.SimpleNamespace(DeviceArray=jax.Array)
    flax = types.ModuleType("flax")
    flax.__path__ = [f"{wheel}/flax"]
    sys.modules["flax"] = flax
    for name in ("nn", "linen", "deprecated"):
        setattr(flax, name, Stub(f"flax.{name}"))
        sys.modules[f"flax.{name}"] = getattr(flax, name)
    flax.deprecated.nn = flax.nn
    flax.nn.base = Stub("flax.nn.base")
    for name in ("", ".io", ".compat", ".compat.v2", ".compat.v2.io"):
        sys.modules[f"tensorflow{name}"] = Stub(f"tensorflow{name}")
        sys.modules[f"tensorflow{name}"].__path__ = []
    sys.modules["tensorflow.io"].gfile = sys.modules["tensorflow.compat.v2.io"].gfile = GFile
    sys.meta_path.append(StubFinder())


def train(optim, case, seed):
    """Yield the optimizer at its start and after each step."""
    from trees import disturbed, gradients, params

    names = {"optim": optim, "jnp": jnp, **traversals(optim)}
    definition = eval(case["before"], names)
    target = disturbed(params(case["dtype"], case["tree"]), seed)
    optimizer = definition.create(target, focus=names[case["focus"]] if case["focus"] else None)
    yield optimizer
    for step in range(case["steps"]):
        optimizer = optimizer.apply_gradient(gradients(optimizer.target, step))
        yield optimizer


def traversals(optim):
    def by(part):
        return optim.ModelParamTraversal(lambda path, _: part in path)

    return {"kernels": by("kernel"), "biases": by("bias"), "dense": by("/dense/")}


def save(folder, name, optimizer, step, layout):
    """In the ways that programs saved, all with the real flax's own functions."""
    from flax import serialization
    from flax.training import checkpoints

    if layout == "root":
        checkpoints.save_checkpoint(str(folder / name), optimizer, step)
    elif layout == "replicated":
        many = jax.tree_util.tree_map(lambda x: jnp.stack([x, x]), optimizer)
        checkpoints.save_checkpoint(str(folder / name), many, step)
    elif layout == "bytes":
        (folder / name).write_bytes(serialization.to_bytes(optimizer))
    elif layout == "nested":
        state = {
            "optimizer": optimizer,
            "model_state": {"batch_stats": jnp.arange(3.0)},
            "epoch": 7,
        }
        checkpoints.save_checkpoint(str(folder / name), state, step, prefix="model_")
    elif layout == "pickle":
        tree = jax.tree_util.tree_map(np.asarray, serialization.to_state_dict(optimizer))
        (folder / name).write_bytes(pickle.dumps(tree))
    else:
        raise ValueError(layout)


def main(wheel, cases, folder, seeds):
    warnings.simplefilter("ignore")
    serve(wheel)
    from flax import optim
    from trees import flat

    folder = Path(folder)
    for case in json.loads(Path(cases).read_text()):
        runs = []
        for seed in range(int(seeds)):
            run = []
            for step, optimizer in enumerate(train(optim, case, seed)):
                if step > case["saved"]:
                    run.append(flat(optimizer.target))
                if step == case["saved"] and seed == 0:
                    for layout in case["layouts"]:
                        save(folder, f"{case['name']}.{layout}", optimizer, step, layout)
            runs.append(run)
        with open(folder / f"{case['name']}.runs", "wb") as file:
            pickle.dump(runs, file)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(*sys.argv[1:])
