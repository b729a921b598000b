"""The network: its parts, its weights, what it computes in, its training, its file."""
