"""Helpers that every folder uses. They know nothing of networks and import no MXNet."""
