"""Models served by onnxruntime."""
