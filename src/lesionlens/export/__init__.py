"""Export of trained models to ONNX and other formats, with numerical verification."""
