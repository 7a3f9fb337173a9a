"""Projects and the use cases in them."""
