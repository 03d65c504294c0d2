"""The solver of logistic regression: a loss, its curvature, and the way down."""
