"""One decision tree, grown by counting: each feature has at most 256 levels, numbered in order.

scikit-learn sorts the rows of a node by every feature it tries. Here only the rows above level 0
(the ink of an image) are sorted, by counting; the sums of the others follow by subtraction. All
else is scikit-learn's procedure, step by step: the same generator draws the features in the same
order, constant features are passed on to the children, and its arithmetic decides between close
splits. So with whole-number weights (a bootstrap's) the tree is scikit-learn's, bit for bit.
"""

from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._compiled import kernel


def _record(**fields: str) -> np.dtype[Any]:
    return np.dtype(list(fields.items()), align=True)


# scikit-learn's parameters of a tree, resolved to numbers.
_SMALLEST = {"min_samples_split": "i8", "min_samples_leaf": "i8", "min_weight_leaf": "f8"}
_LARGEST = {"max_features": "i8", "max_depth": "i8"}
RULES = _record(entropy="?", min_impurity_decrease="f8", seed="u8", **_LARGEST, **_SMALLEST)
# A grown node; -1 for no child and -2 for no feature are scikit-learn's. A split sends levels up to
# `low` left and those from `high` on right; the node has none in between.
_SPLIT_FIELDS = {"feature": "i8", "low": "u1", "high": "u1"}
_NODE_FIELDS = {"left": "i8", "right": "i8", "impurity": "f8", "n_rows": "i8", "weight": "f8"}
NODE = _record(**_NODE_FIELDS, **_SPLIT_FIELDS, more_left="?")
_SPLIT = _record(**_SPLIT_FIELDS, n_left="i8", gain="f8", score="f8")  # the best so far, or -1
# The rows start:stop of the sample, which will become a node.
_BRANCH = _record(
    start="i8", stop="i8", depth="i8", parent="i8", is_left="?", impurity="f8", n_constant="i8"
)

# From this many rows on, a node reads levels by column, where they are contiguous. The rows of
# smaller nodes stay in the cache for all features and for all nodes below.
_BY_COLUMN = 2000
# Up to this many rows are sorted by insertion: clearing and adding up 256 counts takes longer.
_FEW = 24
# Between scores closer than this, scikit-learn's own arithmetic decides.
_CLOSE = 1.0 - 1e-10
_EPSILON = np.finfo(np.float64).eps

_LEVEL_SHIFT, _POSITION_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)


class Sample(NamedTuple):
    """Rows of the training data: their numbers, classes, and weights (above 0)."""

    rows: NDArray[np.uint32]
    labels: NDArray[np.uint8]
    weights: NDArray[np.float64]


class _Workspace(NamedTuple):
    """The input and the buffers of one tree; the buffers are used again for every node."""

    by_row: NDArray[np.uint8]
    by_column: NDArray[np.uint8]
    rules: NDArray[Any]  # of length 1
    state: NDArray[np.uint64]  # of the generator
    order: NDArray[np.int64]  # the features, permuted as they are drawn
    constants: NDArray[np.int64]  # features found to be constant, those of the root first
    totals: NDArray[np.float64]  # the weight of each class in the node
    left: NDArray[np.float64]  # ... left of a split
    right: NDArray[np.float64]  # ... right of a split
    inked: NDArray[np.uint32]  # positions in the node of the rows whose level is not 0
    levels: NDArray[np.uint8]  # ... and their levels
    keys: NDArray[np.uint64]  # 0, then level and position of each as one number, sorted
    ends: NDArray[np.uint32]  # where the next key of each level goes
    split: NDArray[Any]  # of length 1; a record does not keep its array alive


@kernel
def grow_tree(
    by_row: Any, by_column: Any, sample: Sample, spare: Sample, rules: Any, nodes: Any, values: Any
) -> tuple[int, int]:
    """Grow one tree, depth first, from m rows; return its number of nodes and its depth.

    Parameters
    ----------
    by_row, by_column : ndarray of uint8, shape (n, d) and (d, n)
        The level of every feature in every training row, in two memory orders.
    sample, spare : Sample of m rows
        The rows to grow it from, which are sorted by leaf; and a buffer of the same size.
    rules : ndarray of RULES, shape (1,)
        The parameters.
    nodes : ndarray of NODE, shape (2m - 1,)
        Filled from the start, parents before their children.
    values : ndarray of float64, shape (2m - 1, n_classes)
        Filled likewise: the share of each class in the weight of each node.
    """
    m = len(sample.rows)
    work = _allocate(by_row, by_column, rules, m, values.shape[1])
    rule, split = rules[0], work.split[0]
    stack = np.empty(m + 1, _BRANCH)
    all_weight = _add_up(sample, work.totals)
    _push(stack[0], 0, m, 0, -1, False, _impurity(work.totals, all_weight, rule.entropy), 0)
    n_waiting, n_nodes, deepest = 1, 0, 0
    while n_waiting:
        n_waiting -= 1
        branch = stack[n_waiting]
        start, stop, depth, n_constant = branch.start, branch.stop, branch.depth, branch.n_constant
        part = _slice(sample, start, stop)
        node = nodes[n_nodes]
        _fill_leaf(node, branch, _add_up(part, work.totals))
        for label in range(len(work.totals)):
            values[n_nodes, label] = work.totals[label] / node.weight
        if branch.parent >= 0:
            if branch.is_left:
                nodes[branch.parent].left = n_nodes
            else:
                nodes[branch.parent].right = n_nodes
        split.feature = -1
        if _may_split(node, depth, rule):
            n_constant = _find_split(work, part, n_constant, split)
        if split.feature >= 0:
            _partition(by_column[split.feature], split.low, part, spare)
            left, right, lower = _impurities_of_children(work, part, split.n_left, node)
            if node.weight / all_weight * lower + _EPSILON >= rule.min_impurity_decrease:
                node.feature, node.low, node.high = split.feature, split.low, split.high
                node.more_left = 2 * split.n_left > node.n_rows
                middle, below = start + split.n_left, depth + 1
                _push(stack[n_waiting], middle, stop, below, n_nodes, False, right, n_constant)
                _push(stack[n_waiting + 1], start, middle, below, n_nodes, True, left, n_constant)
                n_waiting += 2
        n_nodes += 1
        deepest = max(deepest, depth)
    return n_nodes, deepest


@kernel
def _allocate(by_row: Any, by_column: Any, rules: Any, m: int, n_classes: int) -> _Workspace:
    n_features = len(by_column)
    return _Workspace(
        by_row,
        by_column,
        rules,
        state=np.array([rules[0].seed], np.uint64),
        order=np.arange(n_features),
        constants=np.empty(n_features, np.int64),
        totals=np.empty(n_classes),
        left=np.empty(n_classes),
        right=np.empty(n_classes),
        inked=np.empty(m, np.uint32),
        levels=np.empty(m, np.uint8),
        keys=np.zeros(m + 1, np.uint64),
        ends=np.empty(256, np.uint32),
        split=np.empty(1, _SPLIT),
    )


@kernel
def _push(
    branch: Any, start: int, stop: int, depth: int, parent: int, is_left: bool, impurity: float,
    n_constant: int,
) -> None:  # fmt: skip
    branch.start, branch.stop, branch.depth, branch.parent = start, stop, depth, parent
    branch.is_left, branch.impurity, branch.n_constant = is_left, impurity, n_constant


@kernel
def _slice(sample: Sample, start: int, stop: int) -> Sample:
    return Sample(sample.rows[start:stop], sample.labels[start:stop], sample.weights[start:stop])


@kernel
def _fill_leaf(node: Any, branch: Any, weight: float) -> None:
    node.left, node.right, node.feature = -1, -1, -2
    node.low, node.high, node.more_left = 0, 0, False
    node.impurity, node.n_rows, node.weight = branch.impurity, branch.stop - branch.start, weight


@kernel
def _may_split(node: Any, depth: int, rule: Any) -> bool:
    return (
        depth < rule.max_depth
        and node.n_rows >= rule.min_samples_split
        and node.n_rows >= 2 * rule.min_samples_leaf
        and node.weight >= 2 * rule.min_weight_leaf
        and node.impurity > _EPSILON
    )


@kernel
def _partition(column: Any, low: int, part: Sample, spare: Sample) -> None:
    """Move the rows that go left to the front; both sides keep their order."""
    n_left, n_right = np.uint64(0), np.uint64(0)
    for i in range(len(part.rows)):
        row, label, weight = part.rows[i], part.labels[i], part.weights[i]
        part.rows[n_left], spare.rows[n_right] = row, row
        part.labels[n_left], spare.labels[n_right] = label, label
        part.weights[n_left], spare.weights[n_right] = weight, weight
        goes_left = column[row] <= low
        n_left += np.uint64(goes_left)
        n_right += np.uint64(not goes_left)
    for i in range(n_right):
        part.rows[n_left + i], part.labels[n_left + i] = spare.rows[i], spare.labels[i]
        part.weights[n_left + i] = spare.weights[i]


@kernel
def _add_up(part: Sample, totals: Any) -> float:
    """Put the weight of each class into totals; return their sum."""
    for label in range(len(totals)):
        totals[label] = 0.0
    for i in range(len(part.rows)):
        totals[part.labels[i]] += part.weights[i]
    weight = 0.0
    for label in range(len(totals)):
        weight += totals[label]
    return weight


@kernel
def _impurity(totals: Any, weight: float, entropy: bool) -> float:
    if entropy:
        result = 0.0
        for total in totals:
            if total > 0.0:
                result -= total / weight * (log(total / weight) / log(2.0))
        return result
    squares = 0.0
    for total in totals:
        squares += total * total
    return 1.0 - squares / (weight * weight)


@kernel
def _impurities_of_children(
    work: _Workspace, part: Sample, n_left: int, node: Any
) -> tuple[float, float, float]:
    """The impurity of both children, and how much lower their weighted mean is than the node's."""
    # both are summed afresh: a difference would leave rounding errors in a pure child
    weight_left = _add_up(_slice(part, 0, n_left), work.left)
    weight_right = _add_up(_slice(part, n_left, len(part.rows)), work.right)
    weight, entropy = node.weight, work.rules[0].entropy
    left = _impurity(work.left, weight_left, entropy)
    right = _impurity(work.right, weight_right, entropy)
    return left, right, node.impurity - weight_right / weight * right - weight_left / weight * left


@kernel
def _find_split(work: _Workspace, part: Sample, n_known: int, split: Any) -> int:
    """Find the best split of randomly drawn features; return how many features are constant.

    ``order`` holds, in this sequence: known constants that were drawn, known constants that were
    not, constants found in this node, features not drawn yet, features drawn and tried.
    """
    split.gain, split.score = -np.inf, -np.inf
    order, constants = work.order, work.constants
    n_undrawn, n_visited, n_found, n_drawn = len(order), 0, 0, 0
    while n_undrawn > n_known + n_found and (
        n_visited < work.rules[0].max_features or n_visited <= n_found + n_drawn
    ):
        n_visited += 1
        j = n_drawn + _draw(work.state) % (n_undrawn - n_found - n_drawn)
        if j < n_known:
            order[n_drawn], order[j] = order[j], order[n_drawn]
            n_drawn += 1
            continue
        j += n_found
        feature = order[j]
        if len(part.rows) < _BY_COLUMN:
            n_inked = _gather(work.by_row[:, feature], part.rows, work.inked, work.levels)
        else:
            n_inked = _gather(work.by_column[feature], part.rows, work.inked, work.levels)
        if n_inked == 0:
            order[j], order[n_known + n_found] = order[n_known + n_found], order[j]
            n_found += 1
            continue
        n_undrawn -= 1
        order[n_undrawn], order[j] = order[j], order[n_undrawn]
        if split.gain < 0.0:  # 0 is a perfect split, and the first one is kept
            _sort(work, n_inked)
            _try_feature(work, part, feature, n_inked, split)
    for j in range(n_known):
        order[j] = constants[j]
    for j in range(n_known, n_known + n_found):
        constants[j] = order[j]
    return n_known + n_found


@kernel
def _draw(state: Any) -> np.int64:
    """A random number from 0 to 2**31 - 1, by the 32-bit xorshift generator (Marsaglia 2003)."""
    x = state[0]
    if x == 0:
        x = np.uint64(1)
    x ^= (x << np.uint64(13)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(17)
    x ^= (x << np.uint64(5)) & np.uint64(0xFFFFFFFF)
    state[0] = x
    return np.int64(x & np.uint64(0x7FFFFFFF))


@kernel
def _gather(column: Any, rows: Any, inked: Any, levels: Any) -> np.int64:
    """List the positions whose level is not 0; return how many, or 0 if all levels are equal."""
    n_inked = np.uint64(0)
    for i in range(len(rows)):  # without a branch: every position is written, then kept or not
        level = column[rows[i]]
        inked[n_inked], levels[n_inked] = i, level
        n_inked += np.uint64(level != 0)
    if n_inked < len(rows):
        return np.int64(n_inked)
    for i in range(len(rows)):
        if levels[i] != levels[0]:
            return np.int64(n_inked)
    return np.int64(0)


@kernel
def _sort(work: _Workspace, n_inked: Any) -> None:
    """Sort levels and positions by level, into ``keys[1:]``."""
    levels, keys, ends = work.levels, work.keys, work.ends
    if n_inked <= _FEW:
        for i in range(n_inked):
            key = (np.uint64(levels[i]) << _LEVEL_SHIFT) | np.uint64(work.inked[i])
            j = i + 1
            while keys[j - 1] > key:  # ends at keys[0], which is 0
                keys[j] = keys[j - 1]
                j -= 1
            keys[j] = key
        return
    for level in range(256):
        ends[level] = 0
    for i in range(n_inked):
        ends[levels[i]] += np.uint32(1)
    end = np.uint32(1)
    for level in range(256):
        end, ends[level] = end + ends[level], end
    for i in range(n_inked):
        j = ends[levels[i]]
        ends[levels[i]] = j + np.uint32(1)
        keys[j] = (np.uint64(levels[i]) << _LEVEL_SHIFT) | np.uint64(work.inked[i])


@kernel
def _try_feature(work: _Workspace, part: Sample, feature: int, n_inked: Any, split: Any) -> None:
    """Move rows from left to right, highest levels first, and try the split between any two."""
    totals, right, keys, rule = work.totals, work.right, work.keys, work.rules[0]
    least, lightest, entropy = rule.min_samples_leaf, rule.min_weight_leaf, rule.entropy
    n, weight, weight_right, squares_left, squares_right = len(part.rows), 0.0, 0.0, 0.0, 0.0
    for label in range(len(totals)):
        right[label] = 0.0
        weight += totals[label]
        squares_left += totals[label] * totals[label]
    high = keys[n_inked] >> _LEVEL_SHIFT
    for i in range(n_inked, -1, -1):  # keys[0] stands for all rows of level 0
        low = keys[i] >> _LEVEL_SHIFT
        if low != high:
            n_right, weight_left = n_inked - i, weight - weight_right
            lighter = min(weight_left, weight_right)
            if min(n_right, n - n_right) >= least and lighter >= lightest and lighter > 0.0:
                if entropy:
                    gain = _entropy_gain(work, weight_left, weight_right)
                else:
                    gain = _gini_gain(squares_left, squares_right, weight_left, weight_right, split)
                # of equal gains, scikit-learn keeps the first feature drawn, and its lowest level
                if gain > split.gain or (gain == split.gain and feature == split.feature):
                    split.gain, split.feature, split.n_left = gain, feature, n - n_right
                    split.low, split.high = low, high
            high = low
        position = keys[i] & _POSITION_MASK
        label, moved = part.labels[position], part.weights[position]
        before = right[label]
        squares_right += moved * (2.0 * before + moved)
        squares_left -= moved * (2.0 * (totals[label] - before) - moved)
        right[label] = before + moved
        weight_right += moved


@kernel
def _gini_gain(
    squares_left: float, squares_right: float, weight_left: float, weight_right: float, split: Any
) -> float:
    """Minus the weighted impurity of both sides; -inf if the score is clearly below the best."""
    score = squares_left * weight_right + squares_right * weight_left
    across = weight_left * weight_right
    if score <= split.score * across * _CLOSE:
        return -np.inf
    split.score = max(split.score, score / across)
    impurity_left = 1.0 - squares_left / (weight_left * weight_left)
    impurity_right = 1.0 - squares_right / (weight_right * weight_right)
    return -weight_right * impurity_right - weight_left * impurity_left


@kernel
def _entropy_gain(work: _Workspace, weight_left: float, weight_right: float) -> float:
    """Minus the weighted impurity of both sides."""
    for label in range(len(work.totals)):
        work.left[label] = work.totals[label] - work.right[label]
    impurity_left = _impurity(work.left, weight_left, True)
    impurity_right = _impurity(work.right, weight_right, True)
    return -weight_right * impurity_right - weight_left * impurity_left
