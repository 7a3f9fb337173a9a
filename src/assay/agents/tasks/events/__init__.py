"""What happened in a task, to watch live and to read again."""
