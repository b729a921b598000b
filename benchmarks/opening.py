"""The least that a prediction with Keras needs: import it, and open the model if one is named.

python -m benchmarks.opening [models/catsdogs.h5]
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

for path in sys.argv[1:]:
    keras.models.load_model(path, compile=False)
