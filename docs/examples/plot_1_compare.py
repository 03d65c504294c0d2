"""
Three models on the same folds
==============================

Logistic regression, a random forest and a network, each fitted on the same five folds and then
tested on the same digits: which of them reads best, and how sure is that?
"""

from mnist_models import MODEL_NAMES, compare, load_sample_digits, make_model

X_train, X_test, y_train, y_test = load_sample_digits().split("report")
models = {name: make_model(name, random_state=0) for name in MODEL_NAMES}
comparison = compare(models, X_train, y_train, test=(X_test, y_test))
print(comparison.summary())

# %%
# Every fold is a point; a light line joins the points of one fold. Lines that hardly cross show
# that one model is ahead whatever the digits.

ax = comparison.plot_cv_scores()

# %%
# The table is ordered by the folds, not by the test set, which was looked at once and chose
# nothing. The sentences below it are tests that know that folds overlap, and that three pairs are
# three chances to be wrong.

for pair in comparison.significance():
    difference, p = pair.folds.difference, pair.folds.holm_p_value
    print(f"{pair.first} v. {pair.second}: {difference:+.4f}, p = {p:.4f}")
