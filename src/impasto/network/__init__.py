"""A backbone's name or file to features by layer name."""
