/**
 * ONNX Runtime writes and sends usage data (device, processor, names of graphs) unless this is set before it is loaded.
 * Import this first, also on the main thread of a process whose other threads load it: a thread's environment is a copy,
 * which native code does not see.
 */
process.env.ORT_DISABLE_TELEMETRY = "1";
