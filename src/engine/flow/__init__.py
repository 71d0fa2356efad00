"""The product, one verb per file, in the order things happen."""
