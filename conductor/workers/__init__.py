"""The workers: started, connected to, asked how they are, restarted when they die or hang, ended."""

from conductor.workers.limits import Limits, limits_of
from conductor.workers.worker import Worker, command

__all__ = ["Limits", "Worker", "command", "limits_of"]
