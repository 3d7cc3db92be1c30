from .dock import PaletteWidget

__all__ = ["PaletteWidget"]
