"""Other people's files of weights, read and laid onto the networks here."""
