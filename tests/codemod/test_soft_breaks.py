"""Where new text is broken: only if its line is too long, and then as its calls nest."""

from flax2optax.codemod.rewrite.soft_breaks import breakable, limit_of, settle_breaks

OUTER = "make(\vfirst,\v second={})"
INNER = breakable("inner(\vthird,\v fourth)")


def settled(text: str, limit: int) -> str:
    return settle_breaks(f"  x = {breakable(text)}  # why\n", "\n", limit)


def test_nothing_marked() -> None:
    assert settle_breaks("x = make(first, second)\n", "\n", 8) == "x = make(first, second)\n"


def test_short_enough() -> None:
    assert settled(OUTER.format(1), 80) == "  x = make(first, second=1)  # why\n"


def test_what_follows_counts() -> None:
    whole = "  x = make(first, second=1)  # why"
    assert settled(OUTER.format(1), len(whole)) == whole + "\n"
    assert settled(OUTER.format(1), len(whole) - 1) != whole + "\n"


def test_broken_behind_the_bracket_first() -> None:
    assert settled(OUTER.format(1), 30) == "  x = make(\n      first, second=1)  # why\n"


def test_broken_at_each_comma_that_needs_it() -> None:
    assert settled(OUTER.format(1), 24) == "  x = make(\n      first,\n      second=1)  # why\n"


def test_an_inner_call_stays_whole_where_it_can() -> None:
    new = settled(OUTER.format(INNER), 45)
    assert new == ("  x = make(\n      first,\n      second=inner(third, fourth))  # why\n")


def test_an_inner_call_is_indented_below_its_own() -> None:
    new = settled(OUTER.format(INNER), 32)
    assert new == (
        "  x = make(\n      first,\n      second=inner(\n          third, fourth))  # why\n"
    )


def test_line_ends_of_the_file() -> None:
    text = settle_breaks(f"x = {breakable(OUTER.format(1))}\r\n", "\r\n", 20)
    assert text == "x = make(\r\n    first, second=1)\r\n"


def test_the_limit_is_the_file_s() -> None:
    assert (limit_of("x = 1\n"), limit_of(f"x = '{'a' * 90}'\n"), limit_of("")) == (80, 100, 80)
