"""Pictures, videos and records, read and prepared for a network."""
