"""TF1's input functions: they return graph tensors and remember what was built."""
