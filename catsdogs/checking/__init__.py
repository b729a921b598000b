"""What `check` finds in folders of photos."""
