"""The adapters: one for each way of talking to a model."""
