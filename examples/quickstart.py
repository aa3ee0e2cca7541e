"""Record a loop: a session and two graphs.

losswise server              in one terminal, or `losswise login URL` for a server elsewhere
python examples/quickstart.py
"""

import argparse
import random
import time

import losswise

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=110, help="steps to take (default: %(default)s)")
parser.add_argument("--pause", type=float, default=0.1, help="seconds between steps (default: %(default)s)")
arguments = parser.parse_args()

random.seed(0)

session = losswise.Session(
    tag="my first session",
    max_iter=100,  # for progress and the estimated completion; there may be more
    params={"learning_rate": 0.01, "batch_size": 64, "layers": [128, 10]},
)
# kind is the value that is best, which the session table shows: min(train_loss), max(val_acc)
loss = session.graph("loss", xlabel="step", kind="min")
acc = session.Graph("acc", xlabel="step", kind="max")  # session.Graph is an alias of session.graph

for x in range(arguments.steps):
    train_loss = 2.0 / (1 + x) ** 0.5 + 0.1 * random.random()
    loss.append(x, {"train_loss": train_loss})
    acc.append(x, {"train_acc": 1 - train_loss / 2.5})
    if x % 10 == 9:
        val_loss = train_loss + 0.1 * random.random()
        loss.append(x, {"val_loss": val_loss})
        acc.append(x, {"val_acc": 1 - val_loss / 2.5})
    time.sleep(arguments.pause)

session.set_values({"note": "as good as it gets"})  # a cell of the session table
session.done()
