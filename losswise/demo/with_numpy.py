"""Train the demo's runs in plain NumPy: a network with one hidden layer, stochastic gradient descent."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from losswise.demo.digits import CLASSES, RUNS, DemoPace, Digits, Floats, Labels, Run
from losswise.session import Session

STEPS = 300
VALIDATION_INTERVAL = 10  # steps
WARM_UP_STEPS = 30
START_TICKS = (0, 100, 400, 700, 1000)  # of each run; the first two overlap


def train(data: Digits, options: Mapping[str, Any], seconds: float) -> None:
    """Train all runs, each with a session of its own.

    Args:
        data: the digits.
        options: arguments of `losswise.Session` that point it to the demo's server.
        seconds: duration of the whole training.
    """
    ticks = START_TICKS[-1] + STEPS
    pace = DemoPace(seconds, ticks)
    active: list[Iterator[None]] = []
    try:
        for tick in range(ticks):
            active += [steps(run, data, options) for run, start in zip(RUNS, START_TICKS, strict=True) if start == tick]
            active = [running for running in active if next(running, "ended") is None]
            pace.tick()
        for running in active:
            next(running, None)
    except BaseException as error:
        for running in active:  # the `with` of each session sees the exception
            with contextlib.suppress(type(error)):
                running.throw(error)  # type: ignore[attr-defined]
        raise


def steps(run: Run, data: Digits, options: Mapping[str, Any]) -> Iterator[None]:
    """Train one run, yielding after each step."""
    network = Network(data.train.shape[1], run.hidden, run.seed)
    batches = shuffled_batches(data, run)
    with Session(run.tag, max_iter=STEPS, params=run.params(), **options) as session:
        loss = session.graph("loss", xlabel="step", kind="min")
        accuracy = session.graph("accuracy", xlabel="step", kind="max")
        rate = session.graph("learning_rate", xlabel="step")
        norm = session.graph("gradient_norm", xlabel="step")
        for step in range(STEPS):
            images, labels = next(batches)
            learning_rate = scheduled(step, run.learning_rate)
            train_loss, train_accuracy, gradients = network.gradients(images, labels)
            network.descend(gradients, learning_rate, run.momentum)
            loss.append(step, {"train_loss": train_loss})
            accuracy.append(step, {"train_accuracy": train_accuracy})
            rate.append(step, {"learning_rate": learning_rate})
            norm.append(step, {"gradient_norm": math.sqrt(sum(float((part**2).sum()) for part in gradients))})
            if step % VALIDATION_INTERVAL == VALIDATION_INTERVAL - 1:
                val_loss, val_accuracy, _ = network.gradients(data.val, data.val_labels)
                loss.append(step, {"val_loss": val_loss})
                accuracy.append(step, {"val_accuracy": val_accuracy})
            yield
        session.set_values({"parameters": network.size})


def scheduled(step: int, peak: float) -> float:
    """Return the learning rate at a step: a short linear warm-up, then half a cosine down to zero."""
    if step < WARM_UP_STEPS:
        return peak * (step + 1) / WARM_UP_STEPS
    return peak * (1 + math.cos(math.pi * (step - WARM_UP_STEPS) / (STEPS - WARM_UP_STEPS))) / 2


def shuffled_batches(data: Digits, run: Run) -> Iterator[tuple[Floats, Labels]]:
    """Yield batches without end, in a new order in each epoch."""
    random = np.random.default_rng(run.seed)
    while True:
        order = random.permutation(len(data.train))
        for first in range(0, len(order) - run.batch_size + 1, run.batch_size):
            batch = order[first : first + run.batch_size]
            yield data.train[batch], data.train_labels[batch]


class Network:
    """A classifier: inputs, a hidden layer with ReLU, softmax over ten classes. Trained with momentum.

    Args:
        inputs, hidden: sizes of the layers.
        seed: seed of the initial weights.
    """

    def __init__(self, inputs: int, hidden: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.weights: list[Floats] = [
            random.normal(0, math.sqrt(2 / inputs), (inputs, hidden)).astype(np.float32),  # He et al. 2015
            np.zeros(hidden, np.float32),
            random.normal(0, math.sqrt(2 / hidden), (hidden, CLASSES)).astype(np.float32),
            np.zeros(CLASSES, np.float32),
        ]
        self.velocities = [np.zeros_like(part) for part in self.weights]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.weights)

    def gradients(self, images: Floats, labels: Labels) -> tuple[float, float, list[Floats]]:
        """Return the mean cross-entropy, the accuracy, and the gradients of `weights`, in their order."""
        first, first_bias, second, second_bias = self.weights
        hidden = np.maximum(images @ first + first_bias, 0)
        scores = hidden @ second + second_bias
        scores -= scores.max(axis=1, keepdims=True)
        probabilities = np.exp(scores)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        loss = -float(np.log(probabilities[rows, labels] + 1e-12).mean())
        accuracy = float((scores.argmax(axis=1) == labels).mean())

        probabilities[rows, labels] -= 1  # the derivative of cross-entropy after softmax
        probabilities /= len(labels)
        back = (probabilities @ second.T) * (hidden > 0)
        return loss, accuracy, [images.T @ back, back.sum(axis=0), hidden.T @ probabilities, probabilities.sum(axis=0)]

    def descend(self, gradients: list[Floats], learning_rate: float, momentum: float) -> None:
        for part, velocity, gradient in zip(self.weights, self.velocities, gradients, strict=True):
            velocity *= momentum
            velocity -= learning_rate * gradient
            part += velocity
