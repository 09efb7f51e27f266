"""What a run depends on: dataclasses with every default, and how they are read."""
