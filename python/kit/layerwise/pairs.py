"""Which tensor of a program is to be compared with which one of eager's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from kit.report import Difference

Compare = Callable[[Tensor, Tensor], Difference]


def size(one: Difference) -> tuple[bool, bool, float]:
    """To order differences by: beyond the tolerance is more than within, and that more than none."""
    return not one.within, not one.bit_equal, one.max_abs


def worst(differences: Sequence[Difference]) -> Difference:
    """One for all: within if all are, the largest numbers of all, and the reason of the largest."""
    largest = max(differences, key=size)
    return Difference(
        all(one.within for one in differences),
        all(one.bit_equal for one in differences),
        max(one.max_abs for one in differences),
        max(one.max_rel for one in differences),
        largest.reason,
    )


def compare_nearest(
    actual: Sequence[Tensor], expected: Sequence[Tensor], compare: Compare
) -> list[Difference]:
    """Differences between tensors of which it is not known which belong together.

    A traced submodule hands on what is used of its results, in the order of use, and inner values that are
    used outside. So each tensor goes with the nearest of its dtype and shape, equal ones first, and some may
    be left on either side. One on each side go together whatever they are.
    """
    if len(actual) == len(expected) == 1:
        return [compare(actual[0], expected[0])]
    found = [
        (compare(one, other), i, k)
        for i, one in enumerate(actual)
        for k, other in enumerate(expected)
        if (one.dtype, one.shape) == (other.dtype, other.shape)
    ]
    taken: set[int] = set()
    given: set[int] = set()
    result = []
    for difference, i, k in sorted(found, key=lambda each: size(each[0])):
        if i not in taken and k not in given:
            taken.add(i)
            given.add(k)
            result.append(difference)
    return result
