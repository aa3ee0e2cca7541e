"""A training loop in plain PyTorch on scikit-learn's handwritten digits, with `session.log` where you would print.

pip install . torch scikit-learn        from a clone; PyPI has the old client only
python examples/pytorch_loop.py
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import losswise

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=20, help="number of epochs (default: %(default)s)")
arguments = parser.parse_args()

params = {"hidden": 64, "learning_rate": 0.05, "batch_size": 32}
torch.manual_seed(0)

images, labels = load_digits(return_X_y=True)
inputs = torch.tensor(images / 16, dtype=torch.float32)
targets = torch.tensor(labels)
train, val = train_test_split(range(len(inputs)), test_size=0.2, random_state=0)
loader = DataLoader(TensorDataset(inputs[train], targets[train]), params["batch_size"], shuffle=True)

model = nn.Sequential(nn.Linear(64, params["hidden"]), nn.ReLU(), nn.Linear(params["hidden"], 10))
optimizer = torch.optim.SGD(model.parameters(), lr=params["learning_rate"], momentum=0.9)

# as a context manager a session ends by itself: an exception makes it failed, Ctrl-C cancelled
with losswise.Session("pytorch loop", max_iter=arguments.epochs * len(loader), params=params) as session:
    step = 0
    for epoch in range(arguments.epochs):
        model.train()
        for batch, wanted in loader:
            loss = nn.functional.cross_entropy(model(batch), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            # pass the tensor itself: this does not wait for the GPU
            session.log({"train_loss": loss, "epoch": epoch}, x=step)
            step += 1

        model.eval()
        with torch.no_grad():
            output = model(inputs[val])
        session.log(
            {
                # train_loss and val_loss share the graph `loss`; of `accuracy`, the highest value is the best
                "val_loss": nn.functional.cross_entropy(output, targets[val]),
                "val_accuracy": (output.argmax(1) == targets[val]).float().mean(),
            },
            x=step - 1,
        )
