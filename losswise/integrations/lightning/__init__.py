"""Integration with Lightning: `LosswiseLogger`."""

from losswise.integrations.lightning.logger import LosswiseLogger

__all__ = ["LosswiseLogger"]
