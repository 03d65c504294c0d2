"""
Few digits, and how sure a model may be
=======================================

How much accuracy do you lose with fewer training digits? And does a model know how often it is
wrong?
"""

from mnist_models import evaluate, learning_curve, load_sample_digits, make_model

digits = load_sample_digits()
X_train, X_test, y_train, y_test = digits.split("classic")

# %%
# Pixels, or the directions of strokes
# ------------------------------------
#
# The recipe ``"accurate"`` describes a digit by the directions of its strokes. This helps most when
# there are few digits to learn from. Each model is fitted once on each number of digits. The bands
# are 95 % intervals for its accuracy on the test set.

models = {
    recipe: make_model("logistic", recipe=recipe, random_state=0)
    for recipe in ("classic", "accurate")
}
sizes = [50, 100, 300, len(X_train)]
curve = learning_curve(models, X_train, y_train, sizes=sizes, test=(X_test, y_test))
print(curve)
ax = curve.plot()

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
