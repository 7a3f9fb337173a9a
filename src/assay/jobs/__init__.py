"""Background work that survives its worker: the visible job record and the engine behind it."""
