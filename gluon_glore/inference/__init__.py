"""Trained networks applied to pictures and videos."""
