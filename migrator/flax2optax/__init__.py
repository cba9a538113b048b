"""Migrate programs from flax.optim to Optax, and prove that they train the same."""

__version__ = "0.1.0"
