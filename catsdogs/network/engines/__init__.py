"""What runs a frozen part of a network."""
