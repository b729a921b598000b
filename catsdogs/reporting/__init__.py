"""What a person sees: figures and progress."""
