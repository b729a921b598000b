"""What computes: networks of layers, backbones and their weights, engines."""
