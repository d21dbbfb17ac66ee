"""What can go wrong with a kernel.

KernelError
└── BuildError        a compiler is missing or failed
"""


class KernelError(Exception):
    """Root of this package's errors."""


class BuildError(KernelError):
    """Something cannot be compiled; what it is for has a slower way."""
