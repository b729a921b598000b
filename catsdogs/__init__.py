"""Train an image classifier you can trust from a folder of photos per class."""

__version__ = "0.2.0"
