"""What computes: backbones, engines, classifiers and their files."""
