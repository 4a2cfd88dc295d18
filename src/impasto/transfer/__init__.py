"""Features to a distance, a distance to a gradient, a gradient to a picture."""
