"""What the guard does with one request, besides verifying its header."""
