"""Data sets packed, read, augmented and made into batches."""
