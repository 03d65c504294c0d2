"""
Your own network
================

Pass a function that builds a Keras model as ``build_fn``, and keep everything around it: labels of
any kind, a stratified hold-out, early stopping, seeds, ``clone`` and ``GridSearchCV``.
"""

from sklearn.pipeline import make_pipeline

from mnist_models import SequentialClassifier, compare, load_sample_digits, make_preprocessor


def small_conv(n_features, n_classes):
    """A small convolutional network."""
    import keras
    from keras import layers

    side = int(n_features**0.5)
    return keras.Sequential(
        [
            layers.Input((n_features,)),
            layers.Reshape((side, side, 1)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )


X_train, X_test, y_train, y_test = load_sample_digits().split("classic")
settings = {"epochs": 12, "batch_size": 32, "random_state": 0}
networks = {
    "dense": SequentialClassifier(**settings),
    "own": SequentialClassifier(build_fn=small_conv, **settings),
}
models = {name: make_pipeline(make_preprocessor(), each) for name, each in networks.items()}
comparison = compare(models, X_train, y_train, test=(X_test, y_test), cv=3)
print(comparison.summary())

# %%
# The learning curve shows the fit on all training rows. The dot marks the epoch whose weights were
# kept.

ax = comparison["own"].plot_learning_curve("cross_entropy")
