"""Integration with Keras 3: `LosswiseKerasCallback`."""

from losswise.integrations.keras.callback import LosswiseKerasCallback

__all__ = ["LosswiseKerasCallback"]
