"""Networks with trained weights: found, downloaded, imported, published, checked."""
