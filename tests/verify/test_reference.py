"""The reference: refusals first, then that it is the real one and leaves nothing behind."""

import sys
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flax2optax.verify import ReferenceUnavailableError, fetch, reference, serve


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / reference.WHEEL).write_bytes(b"not a wheel")
    with pytest.raises(ReferenceUnavailableError, match=r"is not flax 0\.5\.3: sha256"):
        fetch(tmp_path)


def test_a_wheel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ReferenceUnavailableError, match="cannot read"),
        serve(tmp_path / "gone.whl"),
    ):
        pass


def test_a_failing_download_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ReferenceUnavailableError, match="pip could not fetch the reference"):
        fetch(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_another_hash_is_refused_by_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "SHA256", "0" * 64)
    with pytest.raises(ReferenceUnavailableError):
        fetch(tmp_path)


def test_a_text_that_cannot_be_patched_is_refused() -> None:
    with pytest.raises(ReferenceUnavailableError, match=r"flax\.optim\.base is not the text"):
        reference._patched("flax.optim.base", b"class Another:\n  pass\n")


def test_the_cache_is_chosen_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FLAX2OPTAX_CACHE", raising=False)
    assert reference.cache_folder() == tmp_path / "flax2optax"
    monkeypatch.setenv("FLAX2OPTAX_CACHE", str(tmp_path / "own"))
    assert reference.cache_folder() == tmp_path / "own"


def test_it_is_served_and_taken_away_again() -> None:
    aliases = {name: vars(jax).get(name) for name in reference.REMOVED_ALIASES}
    with serve() as optim:
        from flax.optim import Adam
        from flax.optim.adam import Adam as same

        assert flax.optim is optim
        assert Adam is same is optim.Adam
        assert jax.tree_multimap is jax.tree_util.tree_map
    assert not hasattr(flax, "optim")
    assert not [name for name in sys.modules if name.startswith("flax.optim")]
    assert {name: vars(jax).get(name) for name in reference.REMOVED_ALIASES} == aliases


def test_it_may_be_served_twice_at_once() -> None:
    with serve() as outer:
        with serve() as inner:
            assert flax.optim is inner is not outer
        assert flax.optim is outer
        assert sys.modules["flax.optim"] is outer


def test_the_patches_change_nothing_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    patched = adafactor_and_override()
    monkeypatch.setattr(reference, "PATCHES", {})
    np.testing.assert_array_equal(patched, adafactor_and_override())


def adafactor_and_override() -> np.ndarray:
    params = {"w": jnp.linspace(-1, 1, 6, dtype=jnp.float32).reshape(2, 3)}
    with serve() as optim:
        made = optim.Adafactor(beta1=0.9, min_dim_size_to_factor=2).create(params)
        for _ in range(2):
            made = made.apply_gradient(made.target, learning_rate=jnp.float32(0.1))
    assert made.target["w"].dtype == jnp.float32
    return np.asarray(made.target["w"])
