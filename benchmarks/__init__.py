"""What `make bench` runs: our commands against the classic Keras recipe, side by side."""
