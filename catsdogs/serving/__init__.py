"""A model as a service: the local page and an HTTP interface."""

PACKAGES = ("fastapi", "uvicorn", "python_multipart")
"""What the extra `serve` brings."""
