"""
Save and load
=============

A model file holds numbers and words; nothing in it is ever executed.
"""

import hashlib
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from mnist_models import load_model, load_sample_digits, make_model, save_model

X_train, X_test, y_train, y_test = load_sample_digits().split("report")
model = make_model("forest", random_state=0).fit(X_train, y_train)

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "digits.model")
save_model(model, path)
print(f"{path.stat().st_size / 1e6:.1f} MB")

# %%
# Whoever gets the file should get its SHA-256 by another way: it tells whose model it is.

sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
loaded = load_model(path, expected_sha256=sha256)
print((loaded.predict_proba(X_test) == model.predict_proba(X_test)).all())

# %%
# What the loaded model makes of some digits:

fig, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for ax, pixels, label in zip(axes.flat, X_test, loaded.predict(X_test[:16]), strict=False):
    ax.imshow(pixels.reshape(28, 28), cmap="gray_r")
    ax.set_title(label, fontsize=11)
    ax.axis("off")
folder.cleanup()
