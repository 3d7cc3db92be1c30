"""Files as version 0.1 wrote them: run with version 0.1 installed."""

import json
import sys
from pathlib import Path

import numpy as np
from napari.components import ViewerModel

import napari_softlayers as nsl
from napari_softlayers._io._readers_writers import write

out = Path(sys.argv[1])
r, c = np.indices((24, 32))
a = np.clip((8 - np.hypot(r - 10, c - 18)) / 4 + 0.5, 0, 1)[..., None]
pic = (a * (230, 140, 40) + (1 - a) * np.dstack([30 + r, 60 + c, 160 - r])).astype(
    np.uint8
)
tri = np.full((24, 32), 0, np.uint8)
d = np.hypot(r - 10, c - 18)
tri[d < 5] = 2
tri[d > 12] = 1
v = ViewerModel()
L = v.add_image(pic, rgb=True, name="photo", scale=(2.0, 3.0))
T = v.add_labels(tri, name="painted", scale=(2.0, 3.0))
m = nsl.matte(L, T)
for name in ("matte.ora", "matte.psd", "matte.tif", "matte"):
    m.save(out / name)
nsl.save_layers(m, out / "matte_float.tif", bits=32)
nsl.save_layers(m, out / "matte_linear.ora", linear_light=True)
p = nsl.palette_layers(L, 3)
p.recolor([(1, 0, 0), (0, 1, 0), (0, 0, 1)]).save(out / "palette_recoloured.ora")
s = nsl.soft_segments(L, 3, None)
s.save(out / "segments.ora")
shown = m.to_napari(v)
write(str(out / "from_napari.ora"), [x.as_layer_data_tuple() for x in shown])
# what the layers in a viewer carried
records = {}
for kind, layers in (
    ("matte", m),
    ("palette", p.recolor([(1, 0, 0), (0, 1, 0), (0, 0, 1)])),
    ("segments", nsl.cut(s, 2)),
):
    records[kind] = [x.metadata for x in layers.to_napari(v)]
    for x in list(v.layers[2:]):
        v.layers.remove(x)
seg = nsl.Segmenter(L, None)
seg.click([(10, 18), (1, 1)], [1, 0])
records["clicks"] = [x.metadata for x in seg.refine().to_napari(v)]
(out / "records.json").write_text(json.dumps(records, indent=1))
np.savez_compressed(out / "inputs.npz", picture=pic, trimap=tri, alphas=m.alphas)
print("ok")
