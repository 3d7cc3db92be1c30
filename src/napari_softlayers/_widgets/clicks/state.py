"""What the user has clicked so far, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_softlayers._bridge import prompts as _prompts
from napari_softlayers._bridge.prompts import ADD, REMOVE, Prompts, Snapshot

KEPT_STEPS = 100


@dataclass
class ClickState:
    """The clicks on one picture, with their history.

    ``shape`` ``(int, int)``: height and width of the picture. ``clicks`` tuple: points,
    roles and objects of the prompts. ``current``: number of the object that is being
    made. ``levels``: for some objects, how many steps of the merge tree they were grown
    by. ``history``: clicks, current and levels as they were, for Undo.
    """

    shape: tuple[int, int]
    clicks: Snapshot = field(default_factory=lambda: _prompts.snapshot_of(None))
    current: int = 1
    levels: dict[int, int] = field(default_factory=dict)
    role: str = ADD
    history: list[tuple[Snapshot, int, dict[int, int]]] = field(default_factory=list)
    accepted: tuple[Any, tuple[int, ...]] | None = None
    """Which layer has each pixel ``(H, W)``, 0 the rest, and the objects' numbers."""

    @property
    def prompts(self) -> Prompts:
        """The clicks as the core takes them."""
        return _prompts.prompts_of(self.clicks, self.shape)

    @property
    def level(self) -> int:
        """Steps that the present object was grown by."""
        return self.levels.get(self.current, 0)

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
        if _prompts.same_snapshot(clicks, self.clicks):
            return False
        self.remember()
        self.clicks = clicks
        return True

    def remember(self) -> None:
        """Keep the present state for `back`."""
        self.history.append((self.clicks, self.current, dict(self.levels)))
        del self.history[:-KEPT_STEPS]

    def back(self) -> bool:
        """Go one step back; tell whether there was one."""
        if not self.history:
            return False
        self.clicks, self.current, self.levels = self.history.pop()
        return True

    def start_over(self) -> None:
        """Forget all clicks; `back` brings them back."""
        self.remember()
        self.clicks, self.current = _prompts.snapshot_of(None), 1
        self.levels, self.accepted = {}, None

    def grow(self, steps: int, first: int, last: int) -> bool:
        """Grow the present object within limits; tell whether that changed it."""
        wanted = min(max(self.level + steps, first), last)
        if wanted == self.level:
            return False
        self.remember()
        self.levels[self.current] = wanted
        return True

    def taken_from(self, point: tuple[float, float]) -> tuple[str, int]:
        """Role and object of a removal: what another object had is given back to it."""
        if self.accepted is not None:
            owners, objects = self.accepted
            label = int(owners[_prompts.pixel_at(point, self.shape) or (0, 0)])
            if label and objects[label - 1] != self.current:
                return ADD, objects[label - 1]
        return REMOVE, self.current

    def news(self, share: float) -> tuple[str, str]:
        """What to say of an answer, and how loud: info or warning."""
        prompts = self.prompts
        said = [f"Object {self.current}: {share:.1%} of the picture."]
        if prompts.outside:
            said.append(
                f"{prompts.outside} prompts lie outside the picture and are ignored."
            )
        if prompts.replaced:
            said.append("Of prompts on one pixel that disagree, the last one counts.")
        return " ".join(said), "warning" if len(said) > 1 else "info"
