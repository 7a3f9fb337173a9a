"""What a process has once it is ready stays until it ends, and is not looked through again."""

import gc


def keep_what_is_there() -> None:
    """Take all objects there are now out of garbage collection: call it when a start is done.

    Routes, models and their validators are some hundred thousand objects. Without this each full
    collection goes through them, which holds up every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
