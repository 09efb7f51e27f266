"""Conversion: other people's files of weights, matched with the networks here."""
