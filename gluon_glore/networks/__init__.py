"""Networks by name, as one HybridBlock, as a graph, and what they cost."""
