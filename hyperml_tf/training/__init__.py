"""One run: build, fit, select on validation, score the test items once."""
