from .dock import ExportWidget

__all__ = ["ExportWidget"]
