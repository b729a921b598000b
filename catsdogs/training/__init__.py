"""Training a classifier, and what it keeps on its way."""
