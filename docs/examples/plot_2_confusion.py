"""
The digits behind a cell
========================

A confusion matrix counts. To understand a count, look at the digits in it.
"""

from mnist_models import evaluate, load_sample_digits, make_model

digits = load_sample_digits()
model = make_model("logistic", random_state=0)
evaluation = evaluate(model, digits.data, digits.target)
ax = evaluation.plot_confusion_matrix()

# %%
# Without a test set every digit is predicted by the one of five models that had not seen it: out
# of fold. True classes stand in rows, so a row says what became of the eights, a column what was
# taken for one. Rows sum to 100 %. The largest number off the diagonal:

matrix = evaluation.confusion_matrix.copy()
for right in range(10):
    matrix[right, right] = 0
true, predicted = divmod(int(matrix.argmax()), 10)
print(f"{matrix.max()} times, a {true} was read as {predicted}")

# %%
# These are they, as row numbers and as pictures: below each what it is, what it was taken for,
# and how sure the model was. The most confidently wrong come first.

print(evaluation.errors(true=true, predicted=predicted))
ax = evaluation.plot_errors(digits.data, true=true, predicted=predicted)

# %%
# The errors of all classes, at a glance:

ax = evaluation.plot_errors(digits.data)
