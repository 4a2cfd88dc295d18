"""The painter's studio: shared brushes, papers and scenes for the built-in styles."""
