"""What computes a trained network: torch, ONNX Runtime or OpenVINO, with the same work before and after it."""
