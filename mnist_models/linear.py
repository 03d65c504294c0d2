"""Logistic regression: scikit-learn's model, with a solver preconditioned by the data."""

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import LinAlgError
from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import _logistic
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from mnist_models._linear_solver import (
    BreakdownError,
    LinearSoftmax,
    Solution,
    minimize,
    row_tasks,
    row_threads,
)
from mnist_models._validation import (
    RestoredOnError,
    as_rows,
    check_sample_weight,
    check_scale,
    overflow_ignored,
    refuse_misread,
)

# These become float32, which holds them exactly; other dtypes become float64, as in scikit-learn.
_EXACT_IN_FLOAT32 = (np.float16, np.int8, np.uint8, np.int16, np.uint16, np.bool_)
# If a smaller share of the columns varies, the others are left out.
_WORTH_A_COPY = 0.9


# The base class is named by its module: sklearnex.patch_sklearn() puts another into
# sklearn.linear_model.
class LogisticRegression(_logistic.LogisticRegression):
    """Logistic regression as in scikit-learn, many times faster on dense data.

    Parameters, attributes, methods and the model itself are those of
    :class:`sklearn.linear_model.LogisticRegression`. With its default solver and penalty and dense
    X, ``fit`` minimises the same objective by L-BFGS that starts from the inverse of the data's
    Gram matrix instead of a multiple of the identity, and reads X once per iteration. With fewer
    rows than columns, it works in as many coordinates as there are rows. In every other case
    (sparse X, another solver or penalty, ``C=np.inf``, callbacks, array API dispatch), and if
    rounding stops it, scikit-learn's own ``fit`` runs.

    Apart from the time, the differences are:

    - It does not stop earlier. ``tol`` bounds the gradient, as in scikit-learn, and also how far
      the objective is above its minimum, relative to itself, by an estimate.
    - 8- and 16-bit integers, booleans and float16 become float32, which holds them exactly, and
      ``coef_`` is float32 then; scikit-learn converts them to float64. float32 X is not copied,
      whatever its memory order, but for the columns that vary if more than a tenth never do.
    - The result is the same to the last bit for any number of threads. There are as many as BLAS
      has (``threadpoolctl`` sets that); meanwhile, BLAS uses one thread in each.
    - Masked values, dates and text are refused, and so are rows whose scores overflow, for which
      scikit-learn returns NaN. A ``fit`` that is interrupted leaves the model as it was.

    Parameters
    ----------
    penalty : {"l1", "l2", "elasticnet", None}, default="deprecated"
        scikit-learn's older way to say ``l1_ratio`` and ``C``; do not set it.
    C : float, default=1.0
        Inverse strength of the penalty, above 0; ``np.inf`` is no penalty.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, from 0 to 1; the rest is L2. Values above 0 need the solver
        ``"saga"``, or ``"liblinear"`` for 1.
    dual : bool, default=False
        For the solver ``"liblinear"``: solve the dual problem.
    tol : float, default=1e-4
        Tolerance for stopping, above 0: see above.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is not penalised.
    intercept_scaling : float, default=1
        For the solver ``"liblinear"``: the value of the constant column whose coefficient is the
        intercept.
    class_weight : dict of label to float, "balanced" or None, default=None
        Weight of each class, multiplied by ``sample_weight``; ``"balanced"`` gives every class the
        same total weight.
    random_state : int, RandomState instance or None, default=None
        For the solvers ``"liblinear"``, ``"sag"`` and ``"saga"``, which shuffle.
    solver : {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}, \
default="lbfgs"
        The algorithm; any but the default is scikit-learn's own.
    max_iter : int, default=100
        The most iterations. Standardized MNIST needs 81.
    verbose : int, default=0
        Above 0: print the number of iterations and the objective at the end.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    n_jobs : int, default=None
        Has no effect since scikit-learn 1.8; do not set it.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of float32 or float64, shape (1, n_features) or (n_classes, n_features)
        The coefficients: one row for two classes, otherwise one for each.
    intercept_ : ndarray of the same dtype, shape (1,) or (n_classes,)
        The intercepts; zeros with ``fit_intercept=False``.
    n_iter_ : ndarray of int32, shape (1,)
        Number of iterations.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    Examples
    --------
    >>> from mnist_models import LogisticRegression, load_sample_digits
    >>> digits = load_sample_digits()
    >>> model = LogisticRegression(C=0.1).fit(digits.data / 255, digits.target)
    >>> model.coef_.shape, model.score(digits.data / 255, digits.target) > 0.9
    ((10, 784), True)
    """

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Or images, of shape (n_samples, height, width) or (n_samples, height, width, 1).
            Finite values.
        y : array-like, shape (n_samples,)
            Labels, of at least two classes.
        sample_weight : array-like of numbers, shape (n_samples,), default=None
            Weight of each row; None gives every row 1.

        Returns
        -------
        self : LogisticRegression
            The same object, fitted.

        Raises
        ------
        ValueError
            If X, y, ``sample_weight`` or a parameter is invalid.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` iterations were not enough.
        """
        X = as_rows(X)
        refuse_misread(X, y, sample_weight)
        with RestoredOnError(self), overflow_ignored():
            check_scale(self, X, reset=True)
            if not (self._is_covered(X) and self._fit_by_gram(X, y, sample_weight)):
                super().fit(X, y, sample_weight)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """The scores from which ``predict`` and ``predict_proba`` follow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Finite values.

        Returns
        -------
        ndarray of float32 or float64, shape (n_samples,) or (n_samples, n_classes)
            ``X @ coef_.T + intercept_``; for two classes, the score of the second.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array, or so large that a score is not finite.
        """
        X = as_rows(X)
        refuse_misread(X)
        with overflow_ignored():
            scores: NDArray[np.floating[Any]] = super().decision_function(X)
        check_scale(self, X)
        if get_config()["array_api_dispatch"] or np.isfinite(scores).all():
            return scores
        raise ValueError(
            "X has values so large that their products with the coefficients overflow: expected "
            "values of the same scale as the ones this was fitted on."
        )

    def _is_covered(self, X: Any) -> bool:
        """Whether our solver supports the parameters and the kind of X."""
        return bool(
            self.solver == "lbfgs"
            and self.penalty == "deprecated"
            and self.l1_ratio == 0
            and np.isfinite(self.C)
            and not self.dual
            and self.n_jobs is None
            and not sparse.issparse(X)
            and not hasattr(self, "_skl_callbacks")
            and not get_config()["array_api_dispatch"]
        )

    def _fit_by_gram(self, X: Any, y: Any, sample_weight: Any) -> bool:
        """Fit with our solver; return False, with nothing learned, if it cannot fit this data."""
        dtypes = [np.float64, np.float32, *_EXACT_IN_FLOAT32]
        X, y = validate_data(self, X, y, accept_sparse=True, dtype=dtypes)
        if sparse.issparse(X):  # a DataFrame with sparse columns
            return False
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            return False
        d = X.shape[1]
        weight = self._row_weights(X, y, sample_weight, classes, codes)
        start = self._start(len(classes), d)
        if weight is None or start is None:
            return False
        useful = np.ones(start.shape[1], dtype=bool)
        useful[:d] = _useful_columns(X, self.fit_intercept)
        if not useful.all():
            X = X.compress(useful[:d], axis=1)
        if X.dtype.type in _EXACT_IN_FLOAT32:
            X = X.astype(np.float32)
        solution = self._solve(X, codes, weight, start[:, useful])
        if solution is None:
            return False
        coef = np.zeros(start.shape, dtype=X.dtype)
        coef[:, useful] = solution.W
        self.classes_ = classes
        self.coef_ = coef[:, :d]
        self.intercept_ = coef[:, d] if self.fit_intercept else np.zeros(len(coef), X.dtype)
        self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
        self._report(solution)
        return True

    def _solve(
        self,
        X: NDArray[Any],
        codes: NDArray[np.intp],
        weight: NDArray[np.float64],
        start: NDArray[np.float64],
    ) -> Solution | None:
        """Minimise the objective from ``start``; None if rounding or overflow prevents it."""
        total = float(weight.sum())
        n, d = X.shape
        with row_threads(len(list(row_tasks(n, d)))) as run:
            basis = None
            if d > n:  # the optimum's coefficients are sums of rows, so n coordinates are enough
                basis, triangle = np.linalg.qr(X.T)
                X = np.ascontiguousarray(triangle.T)
                start = np.hstack([start[:, :d] @ basis, start[:, d:]])
            problem = LinearSoftmax(
                X,
                codes,
                weight=(weight / total).astype(X.dtype),
                n_outputs=len(start),
                fit_intercept=self.fit_intercept,
                l2=1 / (self.C * total),
                run=run,
                basis=basis,
            )
            try:
                solution = minimize(problem, start, tol=self.tol, max_iter=self.max_iter)
            except (BreakdownError, LinAlgError):
                return None
        if basis is not None:
            coef, intercept = np.split(solution.W, [n], axis=1)
            solution = replace(solution, W=np.hstack([coef @ basis.T, intercept]))
        return solution if np.isfinite(solution.W.astype(X.dtype)).all() else None

    def _row_weights(
        self, X: Any, y: Any, sample_weight: Any, classes: NDArray[Any], codes: NDArray[np.intp]
    ) -> NDArray[np.float64] | None:
        """Sample weight times class weight; None if the objective has no minimum with them."""
        weight = check_sample_weight(sample_weight, X)
        if self.class_weight is not None and _every_class_weighs(weight, codes):
            per_class = compute_class_weight(
                self.class_weight, classes=classes, y=y, sample_weight=weight
            )
            weight = weight * per_class[codes]
        return weight if _every_class_weighs(weight, codes) else None

    def _start(self, n_classes: int, d: int) -> NDArray[np.float64] | None:
        """The coefficients to start from; None if those of the last fit have another shape."""
        shape = (1 if n_classes == 2 else n_classes, d)
        W = np.zeros((shape[0], d + self.fit_intercept))
        if self.warm_start and hasattr(self, "coef_"):
            if sparse.issparse(self.coef_) or self.coef_.shape != shape:
                return None
            W[:, :d] = self.coef_
            if self.fit_intercept:
                W[:, d] = self.intercept_
        return W

    def _report(self, solution: Solution) -> None:
        if self.verbose:
            print(f"{solution.n_iter} iterations, objective {solution.value:.6g}")
        if not solution.converged:
            warnings.warn(
                f"lbfgs failed to converge after {solution.n_iter} iteration(s) (max_iter): the "
                "gradient or the objective is still further from the minimum than tol allows. "
                "Increase max_iter, or scale the columns of X (see sklearn.preprocessing).",
                ConvergenceWarning,
                stacklevel=5,  # past scikit-learn's wrapper of fit, which is no user's line
            )


def _useful_columns(X: NDArray[Any], fit_intercept: bool) -> NDArray[np.bool_]:
    """Which columns to solve for: all, if so many vary that the others are not worth a copy of X.

    The coefficient of a column that never varies is 0, since the intercept can do as much without
    a penalty. Few images of digits leave a third of the pixels blank.
    """
    varies = X.max(axis=0) != X.min(axis=0) if fit_intercept else (X != 0).any(axis=0)
    return varies if 0 < varies.mean() < _WORTH_A_COPY else np.ones(len(varies), dtype=bool)


def _every_class_weighs(weight: NDArray[np.float64], codes: NDArray[np.intp]) -> bool:
    """Whether no weight is negative and no class weighs 0: its intercept would tend to -inf."""
    return bool(weight.min() >= 0 and np.bincount(codes, weight).min() > 0)
