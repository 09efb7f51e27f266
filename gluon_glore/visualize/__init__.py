"""Pictures of what a network computes: units, labelled pixels, videos."""
