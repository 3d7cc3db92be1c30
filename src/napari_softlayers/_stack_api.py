"""Palette stacks with their way into a viewer."""

from __future__ import annotations

from typing import Any

from numpy.typing import DTypeLike

from ._core.palette import stack


class PaletteStack(stack.PaletteStack):
    """Palette layers of a stack, one frame at a time; made by `palette_stack`."""

    def to_napari(
        self, viewer: Any, like: Any = None, dtype: DTypeLike | None = None
    ) -> list[Any]:
        """Show lazy additive layers in a napari viewer.

        Parameters
        ----------
        viewer : napari.Viewer
        like : napari Image layer, optional
            The source; by default the layer that the stack came from.
        dtype : dtype, optional
            uint8, uint16 or float32; the source's by default.

        Returns
        -------
        list of napari.layers.Image
        """
        from ._bridge.palette_stacks import show_stack, warn_if_stack_changed
        from ._bridge.places import check_viewer
        from ._bridge.show import warn_of_hidden

        check_viewer(viewer)
        like = self.source if like is None else like
        if like is self.source:
            warn_if_stack_changed(self)
        return warn_of_hidden(show_stack(viewer, self, like, dtype))
