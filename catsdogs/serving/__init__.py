"""A model as a service: the local page and an HTTP interface."""
