"""
Few digits, and how sure a model may be
=======================================

How much accuracy do you lose with fewer training digits? And does a model know how often it is
wrong?
"""

import matplotlib.pyplot as plt
import numpy as np

from mnist_models import evaluate, load_sample_digits, make_model

digits = load_sample_digits()
X_train, X_test, y_train, y_test = digits.split("classic")

# %%
# Pixels, or the directions of strokes
# ------------------------------------
#
# The recipe ``"accurate"`` describes a digit by the directions of its strokes. This helps most when
# there are few digits to learn from. The bars are 95 % intervals for the accuracy on the test set.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
sizes = [100, 300, len(X_train)]
for aside, recipe in ((0.97, "classic"), (1.03, "accurate")):
    model = make_model("logistic", recipe=recipe, random_state=0)
    found = []
    for n in sizes:
        few = X_train[:n], y_train[:n]
        found.append(evaluate(model, *few, test=(X_test, y_test), cv=3))
    accuracy = np.array([each.accuracy for each in found])
    ends = np.array([each.confidence_interval()[:2] for each in found])
    places = aside * np.array(sizes)
    ax.errorbar(places, accuracy, abs(ends.T - accuracy), fmt="o", label=recipe)
ax.set(xscale="log", xlabel="training digits", ylabel="test accuracy")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(title="recipe", loc="lower right")

# %%
# Calibration
# -----------
#
# Of the digits that a well calibrated model reads with a probability of 0.7, seven in ten are
# right. A random forest's probability is the average over its trees. Here the forest is right far
# more often than it says: its points lie above the diagonal, and nearly everything to which it
# gives 0.6 or more is right.

model = make_model("forest", random_state=0)
forest = evaluate(model, X_train, y_train, cv=3)
ax = forest.plot_calibration()
