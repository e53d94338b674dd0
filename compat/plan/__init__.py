"""A plan says what a recorded pipeline does, and builds it as a dataset."""
