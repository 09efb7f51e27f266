"""What a run writes while it goes, and how it is read back."""
