"""The plan spelled as Gluon blocks: a file a unit."""
