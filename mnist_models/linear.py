"""Logistic regression: scikit-learn's own."""

from sklearn.linear_model import LogisticRegression

__all__ = ["LogisticRegression"]
