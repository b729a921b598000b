"""The least that a prediction needs: import the backend and open the model, nothing else.

python -m benchmarks.opening models/catsdogs.h5
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

keras.models.load_model(sys.argv[1], compile=False)
