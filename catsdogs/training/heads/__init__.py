"""What stands on the frozen layers and is trained here."""
