"""
The digits behind a cell
========================

A confusion matrix counts errors. To understand a count, look at the digits behind it.
"""

from mnist_models import evaluate, load_sample_digits, make_model

digits = load_sample_digits()
model = make_model("logistic", random_state=0)
evaluation = evaluate(model, digits.data, digits.target)
ax = evaluation.plot_confusion_matrix()

# %%
# Without a test set, each digit is predicted by the one of five models that had not seen it (out
# of fold). Rows are the true classes: row 8 shows what the eights were taken for, and column 8 what
# was taken for an eight. The percentages of a row add up to 100 %. Find the largest number off the
# diagonal:

matrix = evaluation.confusion_matrix.copy()
for right in range(10):
    matrix[right, right] = 0
true, predicted = divmod(int(matrix.argmax()), 10)
print(f"{matrix.max()} times, a {true} was read as {predicted}")

# %%
# Here are these digits, as row numbers and as pictures. The text below each picture says what the
# digit is, what it was taken for, and how sure the model was. The most confidently misread come
# first.

print(evaluation.errors(true=true, predicted=predicted))
ax = evaluation.plot_errors(digits.data, true=true, predicted=predicted)

# %%
# Leave the classes out to see the errors of all of them:

ax = evaluation.plot_errors(digits.data)

# %%
# Some digits may be read rightly and labelled wrongly. These are the ones to look at, the least
# probable label first:

ax = evaluation.plot_errors(digits.data, rows=evaluation.suspects(n=8))
