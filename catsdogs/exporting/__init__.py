"""The model leaves the house: files for other runtimes, and a page, each with its self-check."""
