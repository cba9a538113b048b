"""Python imports this at its start: it waits for the program's own `import jax` and does nothing before.

A `sitecustomize` of the environment's own is run as if this one were not there.
"""

import os
import sys
from importlib import import_module


def _attach() -> None:
    home = os.environ.get("FLAX2OPTAX_HOME")
    if not home or not os.environ.get("FLAX2OPTAX_TASK"):
        return
    if home not in sys.path:
        sys.path.append(home)
    try:
        from flax2optax.verify.child.attach import wait_for_imports
    except ImportError as problem:
        sys.stderr.write(f"flax2optax: the recorder cannot be loaded: {problem}\n")
        return
    wait_for_imports()


def _own() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    kept = sys.path[:]
    this = sys.modules.pop("sitecustomize", None)
    sys.path[:] = [path for path in kept if os.path.abspath(path or ".") != here]
    try:
        import_module("sitecustomize")
    except ImportError:
        if this is not None:
            sys.modules["sitecustomize"] = this
    finally:
        added = [path for path in sys.path if path not in kept]
        sys.path[:] = added + [path for path in kept if os.path.abspath(path or ".") != here]


_own()
_attach()
