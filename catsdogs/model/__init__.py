"""A trained model: its file, written and opened; asked for answers and what they rest on."""
