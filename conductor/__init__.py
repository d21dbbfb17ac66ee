"""The show: setlist, cues, the processes, the console."""
