"""Train on handwritten digits with Lightning, with one logger that records the Trainer. No download is needed.

pip install '.[lightning]' scikit-learn        from a clone; PyPI has the old client only
python examples/lightning_mnist_like.py
"""

import argparse

import pytorch_lightning as pl  # or `import lightning.pytorch as pl`
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from losswise.integrations import LosswiseLogger

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10, help="number of epochs (default: %(default)s)")
arguments = parser.parse_args()


class Digits(pl.LightningModule):
    def __init__(self, hidden: int = 64, learning_rate: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()  # recorded as the session's params
        self.net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def training_step(self, batch, index):
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        images, labels = batch
        output = self.net(images)
        # val_loss and train_loss share a graph
        self.log("val_loss", nn.functional.cross_entropy(output, labels))
        self.log("val_accuracy", (output.argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.learning_rate, momentum=0.9)


pl.seed_everything(0)
images, labels = load_digits(return_X_y=True)  # 1,797 images of 8 by 8 pixels
dataset = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
train, val = random_split(dataset, [0.8, 0.2])

trainer = pl.Trainer(
    max_epochs=arguments.epochs,
    log_every_n_steps=1,
    enable_checkpointing=False,
    logger=LosswiseLogger(tag="lightning digits"),
)
trainer.fit(Digits(), DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=64))
