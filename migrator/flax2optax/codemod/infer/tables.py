"""Functions of libraries by what they do with the values they are given; anything not listed cannot be seen into."""

from __future__ import annotations

# A library's function that returns its first argument, or a tree of the same structure.
SAME = frozenset({
    "flax.jax_utils.replicate", "flax.jax_utils.unreplicate", "jax.device_get", "jax.device_put",
    "jax.device_put_replicated", "jax.device_put_sharded", "copy.copy", "copy.deepcopy",
    "jax.lax.stop_gradient", "jax.block_until_ready", "jax.lax.pmean", "jax.lax.psum", "jax.lax.pmax",
    "jax.lax.all_gather", "jax.lax.with_sharding_constraint", "flax.core.freeze", "flax.core.unfreeze",
    "flax.core.frozen_dict.freeze", "flax.core.frozen_dict.unfreeze", "flax.training.common_utils.shard",
    "jax.numpy.asarray", "jax.experimental.multihost_utils.broadcast_one_to_all", "identity",
    "builtins.iter", "builtins.reversed", "builtins.list", "builtins.tuple", "builtins.sorted",

})  # fmt: skip


# Those of them whose result shares the insides of their argument.
SHALLOW = frozenset({
    "copy.copy", "identity", "builtins.iter", "builtins.reversed", "builtins.list", "builtins.tuple",
    "builtins.sorted",
})  # fmt: skip


# A decorator or transformation whose result is called like the function it got.
WRAPPERS = frozenset({
    "jax.jit", "jax.pmap", "jax.vmap", "jax.pjit", "jax.experimental.pjit.pjit", "jax.experimental.pjit",
    "jax.checkpoint", "jax.remat", "jax.named_call", "jax.soft_pmap", "jax.experimental.maps.xmap",
    "jax.api.jit", "jax.api.pmap", "jax.api.vmap", "jax.experimental.checkify.checkify",
    "jax.custom_jvp", "jax.custom_vjp", "alpa.parallelize", "chex.chexify",
    "functools.lru_cache", "functools.cache", "contextlib.contextmanager", "jax.profiler.annotate_function",
    "flax.linen.jit", "flax.linen.remat", "gin.configurable", "gin.external_configurable", "gin.register",
    "jax.named_scope", "jax.make_jaxpr", "jax.xla_computation", "jax.experimental.shard_map.shard_map", "jax.shard_map", "chex.assert_max_traces",
})  # fmt: skip


# Those of them whose result returns what the function does, in place of what it returns.
TRACES = frozenset({"jax.make_jaxpr", "jax.xla_computation"})


SAVES = frozenset({
    "flax.training.checkpoints.save_checkpoint", "flax.training.checkpoints.save_checkpoint_multiprocess",
    "flax.serialization.to_bytes", "flax.serialization.msgpack_serialize", "clu.checkpoint.Checkpoint().save",
})  # fmt: skip


HARMLESS = frozenset({
    "builtins.print", "builtins.len", "builtins.id",
    "builtins.callable", "builtins.bool", "builtins.hash",
    "absl.logging.info", "absl.logging.debug", "absl.logging.warning", "logging.info", "logging.debug",
    "logging.warning", "pprint.pprint", "jax.debug.print", "jax.ops.index_update", "flax.core.pretty_repr", "builtins.dir",
    "sys.getsizeof", "gc.collect", "jax.numpy.where", "builtins.any", "builtins.all",
    "jax.tree_util.all_leaves", "jax.tree_util.tree_all", "inspect.signature",
    "builtins.delattr",
})  # fmt: skip


HARMLESS_METHODS = frozenset({
    "info", "debug", "warning", "error", "log", "exception", "critical", "print",  # loggers
    "scalar", "scalars", "add_scalar", "write_scalars", "histogram", "text",  # writers of summaries
})  # fmt: skip


# What a pair answers, and a record of flax's does not.
COUNTS = frozenset({
    "builtins.len", "builtins.list", "builtins.tuple", "builtins.iter", "builtins.sorted", "builtins.reversed",
    "builtins.enumerate", "builtins.zip", "builtins.map", "builtins.next", "builtins.set", "builtins.dict",
})  # fmt: skip


ARRAYS = frozenset(
    [
        f"jax.numpy.{made}"
        for made in ("array", "zeros", "ones", "full", "arange", "linspace", "eye", "empty")
    ]
    + [
        f"jax.random.{made}"
        for made in ("normal", "uniform", "truncated_normal", "laplace", "gumbel")
    ]
)


TREE_MAP = frozenset({
    "jax.tree_map", "jax.tree_multimap", "jax.tree_util.tree_map", "jax.tree_util.tree_multimap",
    "jax.tree.map", "tree.map_structure",
})  # fmt: skip


LEAVES = frozenset({
    "jax.tree_util.tree_leaves", "jax.tree_leaves", "jax.tree.leaves",
    "jax.tree_util.tree_flatten", "jax.tree_flatten", "jax.tree.flatten",
})  # fmt: skip


# What looks at the fields of an object, or at its leaves one by one; Optax's state has others.
OPENS = frozenset({
    "builtins.vars", "dataclasses.asdict", "dataclasses.astuple", "pickle.dump", "pickle.dumps",
    "cloudpickle.dump", "cloudpickle.dumps", "dill.dump", "dill.dumps", "joblib.dump", "attr.asdict", "attrs.asdict",
    "jax.tree_util.tree_leaves", "jax.tree_leaves", "jax.tree.leaves", "jax.tree_util.tree_reduce",
    "jax.tree_reduce", "jax.tree.reduce", "jax.flatten_util.ravel_pytree",
    "jax.tree_util.tree_map_with_path", "jax.tree.map_with_path",
    "jax.tree_util.tree_leaves_with_path", "jax.tree_util.tree_flatten_with_path", "jax.tree.leaves_with_path",
})  # fmt: skip


RESTORE = {
    "flax.training.checkpoints.restore_checkpoint": (1, "target"),
    "flax.serialization.from_state_dict": (0, "target"),
    "flax.serialization.from_bytes": (0, "target"),
    "clu.checkpoint.Checkpoint().restore": (0, "state"),
    "clu.checkpoint.Checkpoint().restore_or_initialize": (0, "state"),
}


# Classes of libraries whose objects' methods are listed above, under one name.
OBJECTS = {
    "clu.checkpoint.Checkpoint": "clu.checkpoint.Checkpoint()",
    "clu.checkpoint.MultihostCheckpoint": "clu.checkpoint.Checkpoint()",
}


PARTIALS = frozenset(
    {"functools.partial", "jax.tree_util.Partial", "jax.util.partial", "toolz.partial"}
)
