"""Trained networks over HTTP."""
