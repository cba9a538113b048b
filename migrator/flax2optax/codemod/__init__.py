"""The codemod: paths in, changed source out. Six stages, in the order of their names; never imports jax."""
