"""Units put into any Gluon network: where, and how the network then runs them."""
