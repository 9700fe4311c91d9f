"""The small transposed convolution that visitors play with."""
