"""Figures about predictions, with their intervals."""
