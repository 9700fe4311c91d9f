"""Work for all visitors: bounded threads, and Keras in a separate process."""
