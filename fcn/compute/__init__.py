"""Work for all visitors: bounded threads, and Keras in a process of its own."""
