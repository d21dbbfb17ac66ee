"""Where instruments stand, in which room, how loud, and the last stage before the air."""
