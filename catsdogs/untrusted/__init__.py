"""Opening what strangers may have written."""
