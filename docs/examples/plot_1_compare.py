"""
Three models on the same folds
==============================

Logistic regression, a random forest and a network are fitted on the same five folds, then tested on
the same digits. Which of them reads best, and how sure can you be?
"""

from mnist_models import MODEL_NAMES, compare, load_sample_digits, make_model

X_train, X_test, y_train, y_test = load_sample_digits().split("classic")
models = {name: make_model(name, random_state=0) for name in MODEL_NAMES}
comparison = compare(models, X_train, y_train, test=(X_test, y_test))
print(comparison.summary())

# %%
# Every point is the score of one fold, and a light line joins the points of one fold. If the lines
# hardly cross, one model is ahead whichever digits it gets.

ax = comparison.plot_cv_scores()

# %%
# The table is sorted by the folds. The test set was looked at once and decided nothing. The
# sentences below the table are the results of statistical tests. They allow for folds that share
# training rows, and for three pairs being three chances to be wrong. Their numbers are there too:

for pair in comparison.significance():
    difference, p = pair.folds.difference, pair.folds.holm_p_value
    print(f"{pair.first} v. {pair.second}: {difference:+.4f}, p = {p:.4f}")

# %%
# Accuracy is not all: what does it cost? Up and to the left is better.

ax, *_ = comparison.plot_cost()
