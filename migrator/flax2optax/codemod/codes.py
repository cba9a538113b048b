"""The catalogue: every diagnostic code, what it means, what to write instead. Codes are never reused.

0xx input · 1xx imports · 2xx definitions · 3xx values, steps, state · 4xx MultiOptimizer and traversals ·
5xx schedules and overrides · 6xx clipping · 7xx checkpoints · 8xx types, pins, shell lines · 9xx dynamic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. `title` is a sentence without a full stop; `instead` is what to write by hand."""

    code: str
    title: str
    explanation: str
    instead: str


_ALL = (
    Code(
        "FXO001",
        "The file cannot be read",
        "The file, or the folder it is in, could not be opened. It was left out; everything else was done.",
        "Make it readable, or exclude it.",
    ),
    Code(
        "FXO002",
        "The file cannot be decoded",
        "The bytes are not text in the encoding that the byte order mark or the coding line names (PEP 263; UTF-8 if there is none), or the same bytes do not come back when the text is encoded. The file was left as it was.",
        "Name the right encoding in a coding line, or save the file as UTF-8.",
    ),
    Code(
        "FXO003",
        "The file does not parse",
        "The file names the API but is not valid Python, or is a notebook that is not valid JSON of nbformat 4. Nothing is known about the optimizers in it. It was left as it was.",
        "Mend the syntax and run again.",
    ),
    Code(
        "FXO004",
        "The file changed while the tool was running",
        "Its bytes are no longer the ones that were read, so what was planned for it may be wrong. It was left alone, and so was every file that shares a flow with it.",
        "Run again.",
    ),
    Code(
        "FXO005",
        "The file cannot be written",
        "The new bytes could not be put in place: the folder or the file is read-only, the disk is full, or the new text has characters that the file's encoding lacks. It was left as it was, and so was every file that shares a flow with it.",
        "Make room or give permission, and run again.",
    ),
    Code(
        "FXO006",
        "The file has uncommitted changes",
        "Version control could not give back what the file is now, so it was not written, nor any file that shares a flow with it.",
        "Commit or stash the changes, or pass --allow-dirty.",
    ),
    Code(
        "FXO007",
        "The new text did not pass the program's own check",
        "What was planned would not compile, or planning it again found more to do. That is a bug of flax2optax. The whole flow was left as it was.",
        "Report it with the lines it is about, and migrate this flow by hand.",
    ),
    Code(
        "FXO101",
        "`flax.optim` was removed in flax 0.6.0",
        "An import or a name that leads to flax.optim fails with every flax since 0.6.0. The import goes when its last use is migrated; `DynamicScale` and the traversals have new homes and only move.",
        "Import optax; `flax.training.dynamic_scale` for DynamicScale, `flax.traverse_util` for ModelParamTraversal.",
    ),
    Code(
        "FXO102",
        "An activation of `flax.nn` moved to `flax.linen`",
        "`flax.nn` is gone with the modules before Linen. Its activations are JAX's own functions, and `flax.linen` hands on the same ones, so a program that uses nothing else of it can follow.",
        "Write flax.linen.softmax for flax.nn.softmax.",
    ),
    Code(
        "FXO201",
        "A flax optimizer definition was removed with flax.optim",
        "A call of an optimizer class makes a definition: hyperparameters without parameters. Optax calls that a gradient transformation, `tx`. The same name is not always the same maths, so the equal form may be spelled differently.",
        "Write the Optax expression that the rule of this class shows: flax2optax explain Adam.",
    ),
    Code(
        "FXO202",
        "The arguments of this optimizer cannot be seen",
        "The constructor gets arguments that are only known when the program runs, and its rule must see them; or a class is used as a value in a way that cannot be followed.",
        "Write the arguments out, or build the optax transformation by hand.",
    ),
    Code(
        "FXO203",
        "No learning rate reaches this optimizer",
        "Neither the constructor nor the steps that were found give a learning rate. flax would raise; `optax.adam(None)` raises nothing, does not scale and does not flip the sign, so the loss would climb.",
        "Give the constructor or every step a learning rate.",
    ),
    Code(
        "FXO204",
        "A custom OptimizerDef is outside the shape that can be rewritten",
        "A subclass of `OptimizerDef` becomes a gradient transformation when it says how its state starts (`init_param_state` or `init_state`) and how gradients are applied (`apply_param_gradient` or `apply_gradient`). This one overrides more of flax's interface, or has another base.",
        "Write an optax.GradientTransformation: init returns the state, update returns new parameter minus parameter.",
    ),
    Code(
        "FXO205",
        "`Optimizer` is constructed directly",
        "The call skips `create` and hands over definition, state and target itself, so the state may be anything.",
        "Make opt_state with tx.init(params), then put the restored leaves into it.",
    ),
    Code(
        "FXO206",
        "A name that the migration needs is taken",
        "What Optax lacks is written into the program as a function. The file already binds the function's name, so one of the two would hide the other.",
        "Rename the program's own, or write the Optax expression by hand: flax2optax explain shows the rule of each class.",
    ),
    Code(
        "FXO301",
        "`Optimizer.apply_gradient` was removed with flax.optim",
        "In Optax a step is two calls: `tx.update` turns gradients into updates and carries the state, `optax.apply_updates` adds them to the parameters.",
        "updates, opt_state = tx.update(grads, opt_state, params); params = optax.apply_updates(params, updates)",
    ),
    Code(
        "FXO302",
        "`OptimizerDef.create` was removed with flax.optim",
        "`create` bound parameters and state to the definition. In Optax the parameters stay your own and the state is made by `tx.init`.",
        "opt_state = tx.init(params), or TrainState.create(apply_fn=..., params=params, tx=tx)",
    ),
    Code(
        "FXO303",
        "`Optimizer.target` was removed with flax.optim",
        "The parameters are no longer inside an optimizer object.",
        "params, or state.params of a TrainState.",
    ),
    Code(
        "FXO304",
        "`Optimizer.state` was removed with flax.optim",
        "The step counter and the moments live in the Optax state, the counter of a TrainState in `state.step`.",
        "state.step, or optax.tree_utils.tree_get(opt_state, 'count').",
    ),
    Code(
        "FXO305",
        "`Optimizer.replace` was removed with flax.optim",
        "It swapped parameters or state inside the optimizer object.",
        "Assign params or opt_state, or state.replace(params=..., opt_state=...).",
    ),
    Code(
        "FXO306",
        "The moments of a flax optimizer are read or written",
        "`state.param_states` is a tree of one record per parameter, Optax keeps one tree per moment. "
        "A few lines written into the program make the records of it, and put changed ones back. "
        "What changes the old tree in place, or reads moments that Optax keeps otherwise (Adafactor, WeightNorm, …), has to be turned by hand.",
        "Use opt_state and the fields that the rule of this optimizer lists.",
    ),
    Code(
        "FXO307",
        "`Optimizer.compute_gradient` and `optimize` were removed with flax.optim",
        "They called the loss, differentiated it and made the step in one go.",
        "value, grads = jax.value_and_grad(loss_fn)(params), then a step as in FXO301.",
    ),
    Code(
        "FXO308",
        "`Optimizer.optimizer_def` is read",
        "The definition or its hyperparameters are taken out of an optimizer. A gradient transformation does not show its hyperparameters.",
        "Keep the values in names of your own, or wrap the transformation with optax.inject_hyperparams.",
    ),
    Code(
        "FXO309",
        "An optimizer goes to code that cannot be seen",
        "It is passed to, returned to or stored by code outside of the files that were read, which may rely on it being a flax optimizer. The whole flow was left as it was.",
        "Name the other files too, or migrate this flow by hand.",
    ),
    Code(
        "FXO310",
        "A parameter that nobody calls is assumed to be an optimizer",
        "The function uses the parameter as a flax optimizer, but no call of it was found. Its callers must change with it.",
        "Check the callers of this function.",
    ),
    Code(
        "FXO311",
        "The value may be an optimizer or something else",
        "Different paths lead here with different kinds of values, and the code is right only for both as they are. The whole flow was left as it was.",
        "Make it one kind on every path.",
    ),
    Code(
        "FXO312",
        "The explicit form cannot carry this flow",
        "The explicit form was asked for, and this optimizer goes where params, opt_state and tx cannot go as separate names: into a field, a container, a carry, another module, or past a place where the transformation cannot be seen. The whole flow was left as it was.",
        "Leave the form to the tool, or ask for the state form.",
    ),
    Code(
        "FXO313",
        "A class whose file is not there is taken for a record",
        "The program makes objects of a class of its own, but the file of that class is not among those that were read. What is given under a keyword is taken to be the field of that name, and all that goes into such objects migrates together or not at all. If the class does something else with it, the program fails where it does, because nothing of flax.optim has the same name in Optax.",
        "Put the file in its place and run again, or migrate it by hand.",
    ),
    Code(
        "FXO401",
        "`MultiOptimizer` was removed with flax.optim",
        "Optax has `optax.partition`: one label per leaf, one transformation per label. Leaves that no traversal matched were frozen in flax and need a label of their own with `optax.set_to_zero()`.",
        "optax.partition({'a': tx_a, 'frozen': optax.set_to_zero()}, labels)",
    ),
    Code(
        "FXO402",
        "The traversal cannot be turned into labels",
        "The groups are built in a way that cannot be read from the code, may overlap, or filter on more than the path of a leaf.",
        "Write a label tree with jax.tree_util.tree_map_with_path and pass it to optax.partition.",
    ),
    Code(
        "FXO403",
        "`create(focus=...)` was removed with flax.optim",
        "A focus is a MultiOptimizer of one group: every other leaf is frozen.",
        "optax.partition({'focus': tx, 'frozen': optax.set_to_zero()}, labels)",
    ),
    Code(
        "FXO501",
        "The learning rate is given at the step",
        "`apply_gradient(learning_rate=...)` overrode the rate for one call. It becomes a schedule inside the transformation when the counters are provably equal; otherwise the step scales the updates.",
        "optax.adam(schedule), or scale the updates by -learning_rate before optax.apply_updates.",
    ),
    Code(
        "FXO502",
        "The override at the step cannot be resolved",
        "`**overrides`, or a list of hyperparameters whose length or order is not in the code. What is overridden decides which Optax form is equal.",
        "Write the overrides out as keywords.",
    ),
    Code(
        "FXO503",
        "A hyperparameter other than the rate is given at the step",
        "Only a transformation wrapped in `optax.inject_hyperparams` can change one between steps. A value written there stays, where flax's override held for one call.",
        "optax.inject_hyperparams(...), and set opt_state.hyperparams[...] in every step.",
    ),
    Code(
        "FXO601",
        "A global-norm clip became part of the optimizer",
        "The hand-written clip equals `optax.clip_by_global_norm`. An epsilon in its denominator changes the result only when the norm is about as small as the epsilon.",
        "optax.chain(optax.clip_by_global_norm(c), tx)",
    ),
    Code(
        "FXO602",
        "A gradient clip is not the global-norm clip",
        "It looks like one, but clips per leaf, has no square root, may be off, or accumulates in half precision. It was left where it is, and is still right there.",
        "Nothing has to change.",
    ),
    Code(
        "FXO701",
        "The layout of checkpoints changes",
        "What this program saves has other keys after the migration, so checkpoints written before it do not restore into it as they are.",
        "Convert them once, params and counters together: flax2optax checkpoint OLD NEW.",
    ),
    Code(
        "FXO702",
        "A checkpoint is taken apart by its keys",
        "The code addresses a saved optimizer by the names of its fields (`'target'`, `'state'`, `'param_states'`), which the new program does not write.",
        "Use the names of the new layout, and convert old checkpoints first: flax2optax checkpoint OLD NEW.",
    ),
    Code(
        "FXO801",
        "A type annotation names flax.optim",
        "The name no longer exists, so evaluating the annotation fails.",
        "optax.GradientTransformation, optax.OptState or train_state.TrainState.",
    ),
    Code(
        "FXO802",
        "A version of flax before 0.6.0 is asked for",
        "The pin was what kept flax.optim alive. The migrated program runs on a current flax.",
        "Remove the upper bound, and add optax.",
    ),
    Code(
        "FXO803",
        "An answer has nothing to answer",
        "A `flax2optax: ignore[...]` comment names a code that is not found at its line any more.",
        "Remove the comment.",
    ),
    Code(
        "FXO804",
        "A marker has nothing to mark",
        "A `TODO(flax2optax)` comment names a code that is not found at its statement any more.",
        "Remove the comment, if what it asked for is done.",
    ),
    Code(
        "FXO901",
        "flax.optim is reached dynamically",
        "`getattr`, `importlib` or a string from a configuration chooses the name when the program runs.",
        "Make a dictionary from names to optax functions, and look the name up there.",
    ),
    Code(
        "FXO902",
        "The target is a model from before Linen",
        "`flax.nn.Model` was removed with flax 0.4.0: it is called, not only held. The optimizer cannot move before the model does.",
        "Port the model to flax.linen first.",
    ),
    Code(
        "FXO903",
        "The API is from before flax.optim had its present shape",
        "Names such as `flax.nn.optimizers` or the module-level functions of the first releases have no counterpart that was measured.",
        "Move to flax 0.5 first, or write the optax transformation by hand.",
    ),
    Code(
        "FXO904",
        "Code inside a notebook magic is not looked at",
        "A cell such as `%%writefile` or `%%bash` holds text that is not part of the notebook's own program. It names flax.optim, so something is left to do in it.",
        "Move the code to a file or to a plain cell, and run again.",
    ),
)

CODES: Mapping[str, Code] = MappingProxyType({entry.code: entry for entry in _ALL})
