from .dock import SegmentsWidget

__all__ = ["SegmentsWidget"]
