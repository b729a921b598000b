"""The commands, one module each: `catsdogs train` is `train.train()`."""
