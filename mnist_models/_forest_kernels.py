"""One decision tree, grown by counting: each feature has at most 256 levels, numbered in order.

scikit-learn sorts the rows of a node by every feature it tries. Here only the rows above level 0
(the ink of an image) are sorted, by counting, or added up by level and class if there are many; the
sums of the others follow by subtraction. All else is scikit-learn's procedure, step by step: the
same generator draws the features in the same order, constant features are passed on to the
children, and its arithmetic decides between close splits. So with whole-number weights (a
bootstrap's) the tree is scikit-learn's, bit for bit.
"""

from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from mnist_models._compiled import kernel

# -- levels ----------------------------------------------------------------------------------------

MAX_LEVELS = 256

# Columns numbered together: sixteen float32 fill a cache line, and their hash tables fit in cache.
_COLUMNS = 16
_SLOTS = 1024  # of a hash table with at most 256 values: a power of two, mostly empty
_MINUS_ZERO = np.uint32(0x80000000)  # the bits of -0.0 in float32, which is the same level as 0
# scikit-learn does not split between values no further apart than this.
_MIN_GAP = np.float32(1e-7)


class Levels(NamedTuple):
    """A matrix of level numbers, in two memory orders, and the value of every level."""

    by_row: NDArray[np.uint8]  # shape (n, d)
    by_column: NDArray[np.uint8]  # shape (d, n), C-contiguous like the other
    values: NDArray[np.float32]  # shape (d, up to 256)


def find_levels(X: NDArray[Any]) -> Levels | None:
    """Number the values of each column in ascending order, from 0.

    X is taken as float32, as scikit-learn's trees take it. None if a column has more than 256
    values, one that is not finite, or two that scikit-learn would not tell apart.
    """
    if X.dtype in (np.uint8, np.bool_):
        by_row = np.ascontiguousarray(X).view(np.uint8)
        levels = np.arange(MAX_LEVELS, dtype=np.float32)
        return Levels(by_row, _transposed(by_row), np.tile(levels, (X.shape[1], 1)))
    by_row = np.empty(X.shape, dtype=np.uint8)
    values = np.zeros((X.shape[1], min(len(X), MAX_LEVELS)), dtype=np.float32)
    for columns in gen_batches(X.shape[1], _COLUMNS):
        with np.errstate(over="ignore"):  # infinity is refused below
            block = X[:, columns].astype(np.float32)
        if not _number(block.view(np.uint32), by_row[:, columns], values[columns]):
            return None
    return Levels(by_row, _transposed(by_row), values)


def _transposed(by_row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    by_column = np.empty(by_row.shape[::-1], dtype=np.uint8)
    for rows in gen_batches(len(by_row), 256):  # blocks that fit in the cache
        by_column[:, rows] = by_row[rows].T
    return by_column


@kernel
def _number(bits: Any, numbers: Any, values: Any) -> bool:
    """Number the values of a few columns, given as the bits of float32; False if that fails."""
    n, d = bits.shape
    keys, slots = np.empty((d, _SLOTS), np.uint32), np.full((d, _SLOTS), -1, np.int16)
    seen, n_seen = np.empty((d, MAX_LEVELS), np.uint32), np.zeros(d, np.int64)
    for i in range(n):
        for j in range(d):
            key = bits[i, j]
            if key == _MINUS_ZERO:
                key = np.uint32(0)
            if n_seen[j] and key == seen[j, 0]:  # a shortcut: in images most values are paper
                numbers[i, j] = 0
                continue
            slot = (np.int64(key) * 2654435769 >> 22) % _SLOTS  # multiplicative hashing (Knuth)
            while slots[j, slot] >= 0 and keys[j, slot] != key:
                slot = (slot + 1) % _SLOTS
            if slots[j, slot] < 0:
                if n_seen[j] == MAX_LEVELS:
                    return False
                keys[j, slot], slots[j, slot] = key, n_seen[j]
                seen[j, n_seen[j]] = key
                n_seen[j] += 1
            numbers[i, j] = slots[j, slot]
    return _renumber(seen, n_seen, numbers, values)


@kernel
def _renumber(seen: Any, n_seen: Any, numbers: Any, values: Any) -> bool:
    """Change numbers in order of appearance to numbers in ascending order of the values."""
    n, d = numbers.shape
    ascending = np.empty((d, MAX_LEVELS), np.uint8)
    for j in range(d):
        found = seen[j, : n_seen[j]].view(np.float32)
        order = np.argsort(found)
        for number in range(len(found)):
            values[j, number] = found[order[number]]
            ascending[j, order[number]] = number
        if not _distinct(values[j, : len(found)]):
            return False
    for i in range(n):
        for j in range(d):
            numbers[i, j] = ascending[j, numbers[i, j]]
    return True


@kernel
def _distinct(values: Any) -> bool:
    """Whether ascending values are all finite, and scikit-learn's trees tell them apart."""
    for number in range(len(values)):
        if not np.isfinite(values[number]):
            return False
        if number and values[number] <= values[number - 1] + _MIN_GAP:
            return False
    return True


# -- one tree --------------------------------------------------------------------------------------


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
# smaller nodes are copied side by side, where they stay in the cache for all nodes below.
_BY_COLUMN = 1000
# Up to this many rows are sorted by insertion: clearing and adding up 256 counts takes longer.
_FEW = 24
# More rows than this, relative to the classes, are added up by level and class.
_MANY = 60
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

    by_column: NDArray[np.uint8]
    near: NDArray[np.uint8]  # the rows of a node below _BY_COLUMN rows, for all nodes below it
    rules: NDArray[Any]  # of length 1
    state: NDArray[np.uint64]  # of the generator
    order: NDArray[np.int64]  # the features, permuted as they are drawn
    constants: NDArray[np.int64]  # features found to be constant, those of the root first
    totals: NDArray[np.float64]  # the weight of each class in the node
    left: NDArray[np.float64]  # ... left of a split
    right: NDArray[np.float64]  # ... right of a split
    inked: NDArray[np.uint64]  # level and position in the node, as one number, of levels above 0
    keys: NDArray[np.uint64]  # 0, then the same, sorted
    ends: NDArray[np.uint32]  # where the next key of each level goes, or how many have the level
    sums: NDArray[np.float64]  # the weight of each level and class, zeros while not in use
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
    work = _allocate(by_column, rules, m, values.shape[1])
    rule, split = rules[0], work.split[0]
    stack = np.empty(m + 1, _BRANCH)
    all_weight = _add_up(sample, work.totals)
    _push(stack[0], 0, m, 0, -1, False, _impurity(work.totals, all_weight, rule.entropy), 0)
    n_waiting, n_nodes, deepest, near_stop = 1, 0, 0, 0
    while n_waiting:
        n_waiting -= 1
        branch = stack[n_waiting]
        start, stop, depth, n_constant = branch.start, branch.stop, branch.depth, branch.n_constant
        part = _slice(sample, start, stop)
        if stop - start < _BY_COLUMN and stop > near_stop:
            _bring_near(by_row, part.rows, work.near)
            near_stop = stop
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
            if stop - start < _BY_COLUMN:
                _partition(work.near[:, split.feature], split.low, part, spare)
            else:
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
def _allocate(by_column: Any, rules: Any, m: int, n_classes: int) -> _Workspace:
    n_features = len(by_column)
    return _Workspace(
        by_column,
        np.empty((min(m, _BY_COLUMN), n_features), np.uint8),
        rules,
        state=np.array([rules[0].seed], np.uint64),
        order=np.arange(n_features),
        constants=np.empty(n_features, np.int64),
        totals=np.empty(n_classes),
        left=np.empty(n_classes),
        right=np.empty(n_classes),
        inked=np.empty(m, np.uint64),
        keys=np.zeros(m + 1, np.uint64),
        ends=np.empty(MAX_LEVELS, np.uint32),
        sums=np.zeros((MAX_LEVELS, n_classes)),
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
def _bring_near(by_row: Any, rows: Any, near: Any) -> None:
    """Copy rows to the start of near, and number them anew."""
    for i in range(len(rows)):
        row = rows[i]
        for j in range(by_row.shape[1]):
            near[i, j] = by_row[row, j]
        rows[i] = i


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
            result += _entropy_term(total, weight)
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
    # all arrays are taken out of the tuples here: numba counts the references at every look-up
    order, constants, state, rule = work.order, work.constants, work.state, work.rules[0]
    rows, labels, weights, totals = part.rows, part.labels, part.weights, work.totals
    by_column, near, inked, keys = work.by_column, work.near.T, work.inked, work.keys
    ends, sums, right = work.ends, work.sums, work.right
    n_undrawn, n_visited, n_found, n_drawn = len(order), 0, 0, 0
    while n_undrawn > n_known + n_found and (
        n_visited < rule.max_features or n_visited <= n_found + n_drawn
    ):
        n_visited += 1
        j = n_drawn + _draw(state) % (n_undrawn - n_found - n_drawn)
        if j < n_known:
            order[n_drawn], order[j] = order[j], order[n_drawn]
            n_drawn += 1
            continue
        j += n_found
        feature = order[j]
        if len(rows) < _BY_COLUMN:
            n_inked = _gather(near, feature, rows, inked)
        else:
            n_inked = _gather(by_column, feature, rows, inked)
        if n_inked == 0:
            order[j], order[n_known + n_found] = order[n_known + n_found], order[j]
            n_found += 1
            continue
        n_undrawn -= 1
        order[n_undrawn], order[j] = order[j], order[n_undrawn]
        if split.gain < 0.0:  # 0 is a perfect split, and the first one is kept
            if n_inked > _MANY * len(totals):
                _try_sums(
                    inked, n_inked, ends, sums, labels, weights, totals, right, rule, feature, split
                )
            else:
                _sort(inked, n_inked, keys, ends)
                _try_rows(keys, n_inked, labels, weights, totals, right, rule, feature, split)
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
def _gather(matrix: Any, feature: int, rows: Any, inked: Any) -> np.int64:
    """List the levels that are not 0; return how many, or 0 if all levels are equal."""
    n_inked = np.uint64(0)
    for i in range(len(rows)):  # without a branch: every position is written, then kept or not
        level = np.uint64(matrix[feature, rows[i]])
        inked[n_inked] = (level << _LEVEL_SHIFT) | np.uint64(i)
        n_inked += np.uint64(level != 0)
    if n_inked < len(rows):
        return np.int64(n_inked)
    for i in range(len(rows)):
        if inked[i] >> _LEVEL_SHIFT != inked[0] >> _LEVEL_SHIFT:
            return np.int64(n_inked)
    return np.int64(0)


@kernel
def _sort(inked: Any, n_inked: Any, keys: Any, ends: Any) -> None:
    """Sort levels and positions by level, into ``keys[1:]``."""
    if n_inked <= _FEW:
        for i in range(n_inked):
            key, j = inked[i], i + 1
            while keys[j - 1] > key:  # ends at keys[0], which is 0
                keys[j] = keys[j - 1]
                j -= 1
            keys[j] = key
        return
    ends[:] = 0
    for i in range(n_inked):
        ends[inked[i] >> _LEVEL_SHIFT] += np.uint32(1)
    end = np.uint32(1)
    for level in range(MAX_LEVELS):
        end, ends[level] = end + ends[level], end
    for i in range(n_inked):
        level = inked[i] >> _LEVEL_SHIFT
        keys[ends[level]] = inked[i]
        ends[level] += np.uint32(1)


@kernel
def _try_rows(
    keys: Any, n_inked: Any, labels: Any, weights: Any, totals: Any, right: Any, rule: Any,
    feature: int, split: Any,
) -> None:  # fmt: skip
    """Move rows from left to right, highest levels first, and try the split between any two."""
    weight, weight_right, squares_left, squares_right = 0.0, 0.0, 0.0, 0.0
    for label in range(len(totals)):
        right[label] = 0.0
        weight += totals[label]
        squares_left += totals[label] * totals[label]
    high = keys[n_inked] >> _LEVEL_SHIFT
    for i in range(n_inked, -1, -1):  # keys[0] stands for all rows of level 0
        low = keys[i] >> _LEVEL_SHIFT
        if low != high:
            n_left, weight_left = len(labels) - n_inked + i, weight - weight_right
            if _may_part(n_left, n_inked - i, weight_left, weight_right, rule):
                if rule.entropy:
                    gain = _entropy_gain(totals, right, weight_left, weight_right)
                else:
                    gain = _gini_gain(squares_left, squares_right, weight_left, weight_right, split)
                _keep_better(split, gain, feature, n_left, low, high)
            high = low
        position = keys[i] & _POSITION_MASK
        label, moved = labels[position], weights[position]
        before = right[label]
        squares_right += moved * (2.0 * before + moved)
        squares_left -= moved * (2.0 * (totals[label] - before) - moved)
        right[label] = before + moved
        weight_right += moved


@kernel
def _try_sums(
    inked: Any, n_inked: Any, counts: Any, sums: Any, labels: Any, weights: Any, totals: Any,
    right: Any, rule: Any, feature: int, split: Any,
) -> None:  # fmt: skip
    """Do the same, moving all rows of a level and class at once."""
    counts[:] = 0
    for i in range(n_inked):
        level, position = inked[i] >> _LEVEL_SHIFT, inked[i] & _POSITION_MASK
        counts[level] += np.uint32(1)
        sums[level, labels[position]] += weights[position]
    weight, weight_right, squares_left, squares_right = 0.0, 0.0, 0.0, 0.0
    for label in range(len(totals)):
        right[label] = 0.0
        weight += totals[label]
        squares_left += totals[label] * totals[label]
    n_left, high = np.int64(len(labels)), 0
    for low in range(MAX_LEVELS - 1, -1, -1):
        if counts[low] == 0 and low > 0:
            continue
        n_right, weight_left = len(labels) - n_left, weight - weight_right
        if _may_part(n_left, n_right, weight_left, weight_right, rule):
            if rule.entropy:
                gain = _entropy_gain(totals, right, weight_left, weight_right)
            else:
                gain = _gini_gain(squares_left, squares_right, weight_left, weight_right, split)
            _keep_better(split, gain, feature, n_left, low, high)
        high = low
        n_left -= np.int64(counts[low])
        for label in range(len(totals)):
            before, moved = right[label], sums[low, label]
            squares_right += moved * (2.0 * before + moved)
            squares_left -= moved * (2.0 * (totals[label] - before) - moved)
            right[label], sums[low, label] = before + moved, 0.0
            weight_right += moved


@kernel
def _may_part(
    n_left: int, n_right: int, weight_left: float, weight_right: float, rule: Any
) -> bool:
    lighter = min(weight_left, weight_right)
    enough = min(n_left, n_right) >= rule.min_samples_leaf and lighter >= rule.min_weight_leaf
    return enough and lighter > 0.0


@kernel
def _keep_better(split: Any, gain: float, feature: int, n_left: int, low: Any, high: Any) -> None:
    # of equal gains, scikit-learn keeps the first feature drawn, and its lowest level
    if gain > split.gain or (gain == split.gain and feature == split.feature):
        split.gain, split.feature, split.n_left = gain, feature, n_left
        split.low, split.high = low, high


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
def _entropy_gain(totals: Any, right: Any, weight_left: float, weight_right: float) -> float:
    """Minus the weighted impurity of both sides."""
    impurity_left, impurity_right = 0.0, 0.0
    for label in range(len(totals)):
        impurity_left += _entropy_term(totals[label] - right[label], weight_left)
        impurity_right += _entropy_term(right[label], weight_right)
    return -weight_right * impurity_right - weight_left * impurity_left


@kernel
def _entropy_term(total: float, weight: float) -> float:
    return -total / weight * (log(total / weight) / log(2.0)) if total > 0.0 else 0.0


# -- prediction ------------------------------------------------------------------------------------


@kernel
def add_shares(
    by_column: Any, features: Any, thresholds: Any, left: Any, right: Any, values: Any, shares: Any
) -> None:
    """Add the values of the leaf that each row ends in to its shares, for one tree.

    Parameters
    ----------
    by_column : ndarray of uint8 or float32, shape (d, n)
        The rows to classify, C-contiguous.
    features, thresholds, left, right : ndarray, shape (n_nodes,)
        scikit-learn's tree.
    values : ndarray of float64, shape (n_nodes, n_classes)
        The share of each class in the weight of each node.
    shares : ndarray of float64, shape (n, n_classes)
        Added to in place.
    """
    n = by_column.shape[1]
    rows, spare = np.arange(n, dtype=np.uint32), np.empty(n, np.uint32)
    # all rows of a node go on together; every branch that waits has rows of its own
    stack = np.empty((n + 1, 3), np.int64)
    stack[0], n_waiting = (0, 0, n), 1
    while n_waiting:
        n_waiting -= 1
        node, start, stop = stack[n_waiting, 0], stack[n_waiting, 1], stack[n_waiting, 2]
        if left[node] < 0:
            for row in rows[start:stop]:
                for label in range(values.shape[1]):
                    shares[row, label] += values[node, label]
            continue
        feature, threshold = features[node], thresholds[node]
        n_left, n_right = np.uint64(0), np.uint64(0)
        for i in range(start, stop):
            row = rows[i]
            rows[start + n_left], spare[n_right] = row, row
            goes_left = by_column[feature, row] <= threshold
            n_left += np.uint64(goes_left)
            n_right += np.uint64(not goes_left)
        middle = start + np.int64(n_left)
        rows[middle:stop] = spare[: np.int64(n_right)]
        if middle < stop:
            stack[n_waiting] = right[node], middle, stop
            n_waiting += 1
        if start < middle:
            stack[n_waiting] = left[node], start, middle
            n_waiting += 1
