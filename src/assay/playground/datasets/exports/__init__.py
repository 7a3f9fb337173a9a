"""Items as files that an import reads back."""
