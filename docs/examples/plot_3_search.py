"""
One grid search over all three models
=====================================

The three models are interchangeable steps of one Pipeline. So a single ``GridSearchCV`` can choose
between models and settings at once.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV

from mnist_models import evaluate, load_sample_digits, make_model, search_space

digits = load_sample_digits().sample(900, random_state=0)
X_train, X_test, y_train, y_test = digits.split()
search = GridSearchCV(make_model("logistic"), search_space(random_state=0), cv=3)
search.fit(X_train, y_train)

# %%
# Each row of ``cv_results_`` is one candidate: the classifier, and the settings tried for it.


def name_of(params):
    """The classifier's class, and the settings tried."""
    tried = {key.split("__")[1]: value for key, value in params.items() if "__" in key}
    return f"{type(params['classify']).__name__}, {tried}"


results = search.cv_results_
ranked = sorted(range(len(results["params"])), key=lambda i: results["mean_test_score"][i])
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.errorbar(
    results["mean_test_score"][ranked],
    [name_of(results["params"][i]) for i in ranked],
    xerr=results["std_test_score"][ranked],
    fmt="o",
)
ax.set(xlabel="accuracy over 3 folds, mean ± std")
ax.grid(axis="x", alpha=0.3)

# %%
# The best score of a search is a little too optimistic, because it was picked as the highest. For
# an honest number, use digits that the search has not seen.

best = evaluate(search.best_estimator_, X_train, y_train, test=(X_test, y_test), cv=3)
print(f"best of the search {search.best_score_:.4f}, test set {best.accuracy:.4f}")
