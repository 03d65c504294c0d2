"""
Save and load
=============

A model file holds only numbers and words. Loading it never runs any code.
"""

import hashlib
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from mnist_models import load_model, load_sample_digits, make_model, save_model

X_train, X_test, y_train, y_test = load_sample_digits().split("classic")
model = make_model("forest", random_state=0).fit(X_train, y_train)

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "digits.model")
save_model(model, path)
print(f"{path.stat().st_size / 1e6:.1f} MB")

# %%
# If you give the file to somebody, send its SHA-256 by another channel. With it, they can be sure
# that the file is yours.

sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
loaded = load_model(path, expected_sha256=sha256)
print((loaded.predict_proba(X_test) == model.predict_proba(X_test)).all())

# %%
# Here is how the loaded model reads some digits:

fig, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for ax, pixels, label in zip(axes.flat, X_test, loaded.predict(X_test[:16]), strict=False):
    ax.imshow(pixels.reshape(28, 28), cmap="gray_r")
    ax.set_title(label, fontsize=11)
    ax.axis("off")
folder.cleanup()
