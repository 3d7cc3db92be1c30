from .dock import MatteWidget

__all__ = ["MatteWidget"]
