"""Where training runs: devices, processes, memory, compiled code, batches on their way."""
