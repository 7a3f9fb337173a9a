"""Messages of a chat session, and the tags on them."""
