"""Every call to a language model in the house goes through here."""
