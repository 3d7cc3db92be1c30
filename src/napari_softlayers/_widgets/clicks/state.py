"""What the user has clicked so far, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_softlayers._bridge.prompts import (
    ADD,
    REMOVE,
    Prompts,
    Snapshot,
    pixel_at,
    prompts_of,
    same_snapshot,
    snapshot_of,
)

KEPT_STEPS = 100


@dataclass(frozen=True)
class Step:
    """What Undo goes back to.

    ``clicks`` tuple: points, roles and objects of the prompts. ``current``: number of
    the object that is being made. ``levels``: for some objects, how many steps of the
    merge tree they were grown by.
    """

    clicks: Snapshot
    current: int
    levels: dict[int, int]


@dataclass
class ClickState:
    """The clicks on one picture, with their history.

    ``shape`` ``(int, int)``: height and width of the picture.
    """

    shape: tuple[int, int]
    clicks: Snapshot = field(default_factory=lambda: snapshot_of(None))
    current: int = 1
    levels: dict[int, int] = field(default_factory=dict)
    role: str = ADD
    history: list[Step] = field(default_factory=list)
    accepted: tuple[Any, tuple[int, ...]] | None = None
    """Which layer has each pixel ``(H, W)``, 0 the rest, and the objects' numbers."""

    @property
    def prompts(self) -> Prompts:
        """The clicks as the core takes them."""
        return prompts_of(self.clicks, self.shape)

    @property
    def grown(self) -> tuple[int, ...]:
        """Steps that each object of `prompts` was grown by."""
        return tuple(self.levels.get(number, 0) for number in self.prompts.objects)

    @property
    def key(self) -> object:
        """What tells two states with different answers apart."""
        prompts = self.prompts
        return prompts.key, prompts.objects, self.grown

    def follow(self, clicks: Snapshot) -> bool:
        """Take the clicks as they are now; tell whether they changed."""
        if same_snapshot(clicks, self.clicks):
            return False
        self.remember()
        self.clicks = clicks
        return True

    def remember(self) -> None:
        """Keep the present state for `back`."""
        self.history.append(Step(self.clicks, self.current, dict(self.levels)))
        del self.history[:-KEPT_STEPS]

    def back(self) -> bool:
        """Go one step back; tell whether there was one."""
        if not self.history:
            return False
        step = self.history.pop()
        self.clicks, self.current = step.clicks, step.current
        self.levels = dict(step.levels)
        return True

    def start_over(self) -> None:
        """Forget all clicks; `back` brings them back."""
        self.remember()
        self.clicks, self.current = snapshot_of(None), 1
        self.levels, self.accepted = {}, None

    def grow(self, number: int, steps: int, first: int, last: int) -> bool:
        """Grow an object within limits; tell whether that changed it."""
        level = self.levels.get(number, 0)
        wanted = min(max(level + steps, first), last)
        if wanted == level:
            return False
        self.remember()
        self.levels[number] = wanted
        return True

    def taken_from(self, point: tuple[float, float]) -> tuple[str, int]:
        """Role and object of a removal: what another object had is given back to it."""
        if self.accepted is not None:
            owners, objects = self.accepted
            label = int(owners[pixel_at(point, self.shape) or (0, 0)])
            if label and objects[label - 1] != self.current:
                return ADD, objects[label - 1]
        return REMOVE, self.current

    def news(self, share: float) -> tuple[str, str]:
        """What to say of an answer, and how loud: info or warning."""
        prompts = self.prompts
        text, level = f"Object {self.current}: {share:.1%} of the picture.", "info"
        if prompts.outside:
            text += (
                f" {prompts.outside} prompts lie outside the picture and are ignored."
            )
            level = "warning"
        if prompts.replaced:
            text += " Of prompts on one pixel that disagree, the last one counts."
            level = "warning"
        return text, level
