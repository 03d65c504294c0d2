"""The random forest: scikit-learn's own."""

from sklearn.ensemble import RandomForestClassifier

__all__ = ["RandomForestClassifier"]
