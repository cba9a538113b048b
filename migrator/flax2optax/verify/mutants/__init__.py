"""Planted mistakes: what people and aliases got wrong, to see that the verdict finds every one of them.

In: the catalogue, three programs. Out: how far above its threshold each mistake is, how far below each right migration.
Never: a mistake that was chosen because it is found; each is one that was measured or made by somebody.
"""
