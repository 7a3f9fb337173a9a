"""What the model does in a sandbox."""

from assay.agents.sandboxes.providers.types import Command, Sandbox


async def shell(sandbox: Sandbox, script: str) -> str:
    """Run a script in the clone; gives its output."""
    ran = await sandbox.run(Command(("sh", "-ec", script)))
    assert ran.exit_code == 0, ran.output.decode()
    return ran.output.decode().strip()
