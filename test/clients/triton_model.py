"""A model of Triton's Python backend that computes the model.onnx beside it, in place of Triton's own ONNX backend."""
import os
import sys

sys.path.append(os.environ["PLATESTREAM_TEST_PACKAGES"])

import onnxruntime  # noqa: E402
import triton_python_backend_utils as backend  # noqa: E402


class TritonPythonModel:
    def initialize(self, args):
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.names = [each.name for each in self.session.get_inputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        try:
            inputs = {name: backend.get_input_tensor_by_name(request, name).as_numpy() for name in self.names}
            wanted = list(request.requested_output_names())
            outputs = self.session.run(wanted, inputs)
            return backend.InferenceResponse([backend.Tensor(name, each) for name, each in zip(wanted, outputs)])
        except Exception as error:
            return backend.InferenceResponse(output_tensors=[], error=backend.TritonError(str(error)))
