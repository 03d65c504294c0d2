"""
Few digits, and how sure a model may be
=======================================

How much is lost with fewer digits to learn from, and whether a model knows how often it is wrong.
"""

import matplotlib.pyplot as plt

from mnist_models import evaluate, load_sample_digits, make_model

digits = load_sample_digits()
X_train, X_test, y_train, y_test = digits.split("report")

# %%
# Pixels, or the directions of strokes
# ------------------------------------
#
# The recipe ``"accurate"`` describes a digit by the directions of its strokes. That is worth most
# where there is little to learn from. The bars are 95 % intervals of the accuracy on the test
# set.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for recipe in ("report", "accurate"):
    model = make_model("logistic", recipe=recipe, random_state=0)
    for n, shade in ((100, 0.4), (300, 0.7), (1437, 1.0)):
        rows = slice(0, n)
        found = evaluate(model, X_train[rows], y_train[rows], test=(X_test, y_test), cv=3)
        low, high, *_ = found.confidence_interval()
        colour = "tab:blue" if recipe == "report" else "tab:orange"
        ax.plot([n, n], [low, high], color=colour, alpha=shade)
        ax.plot(n, found.accuracy, "o", color=colour, label=recipe if n == 100 else None)
ax.set(xscale="log", xlabel="training digits", ylabel="accuracy on the test set")
ax.set_xticks([100, 300, 1437], ["100", "300", "1437"])
ax.minorticks_off()
ax.legend(title="recipe")

# %%
# Calibration
# -----------
#
# Of the digits that a model reads with a probability of 0.7, seven in ten should be right. A
# random forest asks its trees to vote, and is surer of its vote than it says: its points lie
# above the diagonal.

forest = evaluate(make_model("forest", random_state=0), X_train, y_train, cv=3)
ax = forest.plot_calibration()
