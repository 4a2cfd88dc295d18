"""Neural artistic style transfer: repaint a photograph in the manner of a painting."""
