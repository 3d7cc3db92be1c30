"""The methods of trimap matting, a file each. What all of them take and give:

``picture`` float32 ``(H, W, 3)``: colours in [0, 1]. ``labels`` int ``(H, W)``: 0
unknown, 1..K known, K at least 2. ``solver_tolerance``: relative residual at which the
solver stops. ``max_iterations``: the solver stops then, with a warning. ``device``:
where to compute. ``run``: progress and cancel. ``initial`` float32 ``(K, H, W)``: a
matte to start from, such as the one before the last stroke. Networks have no use for it.

Returns float32 ``(K, H, W)``: in [0, 1], summing to 1. Those that repair the trimap give
``extras`` beside it, with ``trimap``: the repaired one, int32 (H, W), 0 unknown, 1..K.
"""
