"""One small module per format, each with one function `render(report) -> str`."""
