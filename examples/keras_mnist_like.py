"""Train on handwritten digits with Keras, with one callback that records `fit`. No download is needed.

pip install '.[keras]' torch scikit-learn        from a clone; PyPI has the old client only
python examples/keras_mnist_like.py
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or jax, or tensorflow

import keras
from sklearn.datasets import load_digits

from losswise.integrations import LosswiseKerasCallback

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10, help="number of epochs (default: %(default)s)")
arguments = parser.parse_args()

keras.utils.set_random_seed(0)

images, labels = load_digits(return_X_y=True)  # 1,797 images of 8 by 8 pixels
images = (images / 16).reshape(-1, 8, 8, 1)

model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ],
    name="digits",
)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.002),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)

# The callback finds optimizer, loss, batch size, number of parameters and summary in the model, and computes max_iter
# from epochs and steps. `params` adds your own.
model.fit(
    images,
    labels,
    validation_split=0.2,
    batch_size=32,
    epochs=arguments.epochs,
    callbacks=[LosswiseKerasCallback(tag="keras digits", params={"filters": 16})],
)
