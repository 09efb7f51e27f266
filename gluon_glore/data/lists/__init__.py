"""Labelled files, of class folders or of a list: one reader for trainers, packing and scores."""
