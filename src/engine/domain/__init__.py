"""The model: values in, values out. No clock, no input or output, no SQL."""
