"""
What a model looks at
=====================

Where in an image does a model look? And what in one digit spoke for the class it was taken for?
"""

from mnist_models import load_sample_digits, make_model, plot_evidence

X_train, X_test, y_train, y_test = load_sample_digits().split("classic")
models = {
    name: make_model(name, random_state=0).fit(X_train, y_train)
    for name in ("logistic", "forest", "network")
}

# %%
# Logistic regression has a coefficient for every pixel and class. Blue pixels, when inked, speak
# for the class, red ones against it. The strongest stand at the edge, where there is hardly any
# ink to learn from: they are chance, and matter to few digits.

ax = plot_evidence(models["logistic"])

# %%
# What matters is coefficient times pixel, averaged over the digits of each class; the outline is
# that of their mean. Pixels are standardized, so the missing ink in the middle of a 0 counts, too.

ax = plot_evidence(models["logistic"], X_test, y_test)

# %%
# A network has no coefficients of pixels, but a gradient for every digit. Gradient times pixel is
# the same thing, so these pictures can be compared with those above:

ax = plot_evidence(models["network"], X_test, y_test)

# %%
# A forest has importances. By impurity, they say how often and how well a pixel splits training
# digits. The second picture asks the test digits: how many more are misread when a patch of each
# digit comes from another one?

ax = plot_evidence(models["forest"], X_test, y_test)

# %%
# One digit that logistic regression misread, and what in it spoke for and against each class:

model = models["logistic"]
row = (model.predict(X_test) != y_test).argmax()
ax = plot_evidence(model, X_test[[row]], y_test[[row]])

# %%
# The forest on the same digit. Patches are wiped, one after another; blue is where a class loses
# probability by that.

ax = plot_evidence(models["forest"], X_test[[row]], y_test[[row]])
