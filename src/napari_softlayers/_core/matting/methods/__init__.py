"""The methods of trimap matting, a file each. What all of them take and give:

Parameters
----------
picture : float32 array (H, W, 3)
    Colours in [0, 1].
labels : int array (H, W)
    0 unknown, 1..K known, K at least 2.
solver_tolerance : float
    Relative residual at which the solver stops.
max_iterations : int
    The solver stops then, with a warning.
device : str
    Where to compute.
run : Run, optional
    Progress and cancel.
initial : float32 array (K, H, W), optional
    A matte to start from, such as the one before the last stroke. Networks have no use
    for it.

Returns
-------
float32 array (K, H, W)
    In [0, 1], summing to 1. Those that repair the trimap give ``extras`` beside it, with
    ``trimap``: the repaired one, int32 (H, W), 0 unknown, 1..K.
"""
