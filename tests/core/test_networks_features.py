"""The feature network, and the registry of weights."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_softlayers._core.networks import features as nets  # noqa: E402
from napari_softlayers._core.networks import weights  # noqa: E402

TINY = nets.FeatureConfig(
    stages=(
        nets.Stage(4, 1, expansion=1, tap=4),
        nets.Stage(6, 2, stride=2, expansion=2),
        nets.Stage(8, 1, stride=2, kernel=5, expansion=2, tap=4),
    ),
    stem_channels=4,
    picture_tap=2,
    global_channels=4,
    hidden=8,
    dims=6,
)


def tiny(seed=0, **changes):
    return nets.new_feature_network(replace(TINY, **changes), seed).eval()


def test_compact_sizes():
    network = nets.new_feature_network(nets.PRESETS["compact"])
    count = sum(p.numel() for p in network.parameters())
    assert 2 * count < 10e6  # bytes as float16


def test_paper_preset_has_the_papers_layers():
    with torch.device("meta"):
        network = nets.FeatureNetwork(nets.PRESETS["paper"])
    taps = [(tap[0].in_channels, tap[0].out_channels) for tap in network.taps]
    assert taps == [(3, 4), (256, 124), (512, 128), (1024, 256), (2048, 512)]
    assert sum(mixer.in_channels for mixer in network.mixers) == 1024
    assert {mixer.out_channels for mixer in network.mixers} == {512}
    assert (network.head.in_channels, network.head.out_channels) == (512, 128)
    assert network.dropout.p == 0.5
    blocks = [len(stage) for stage in network.stages]
    assert blocks == [3, 4, 23, 3]  # ResNet-101
    convolutions = sum(
        isinstance(module, torch.nn.Conv2d) and module.kernel_size != (1, 1)
        for module in network.stages.modules()
    )
    assert convolutions == 33


def test_compact_preset_is_efficientnet_lite2():
    """Blocks, kernels, channels and strides as in Tan and Le's tables, scaled."""
    with torch.device("meta"):
        network = nets.FeatureNetwork(nets.PRESETS["compact"])
    blocks = [block for stage in network.stages for block in stage]
    assert len(blocks) == 21
    found = []
    for stage in network.stages:
        depthwise = stage[0].path[-2][0]
        assert depthwise.groups == depthwise.in_channels
        kernel, stride = depthwise.kernel_size[0], depthwise.stride[0]
        found.append((len(stage), kernel, stride, stage[0].path[-1][0].out_channels))
    assert found == [
        (1, 3, 1, 16),
        (3, 3, 2, 24),
        (3, 5, 2, 48),
        (4, 3, 2, 88),
        (4, 5, 1, 120),
        (5, 5, 2, 208),
        (1, 3, 1, 352),
    ]
    trained = sum(p.numel() for p in [*network.stages.parameters()])
    trained += sum(p.numel() for p in network.stem.parameters())
    head = 352 * 1280 + 2 * 1280 + 1280 * 1000 + 1000  # what follows, for ImageNet
    assert trained + head == pytest.approx(6.09e6, rel=0.001)  # as published


def test_depthwise_kernels_stay_float32_in_mixed_precision():
    layer = tiny().stages[1][0].path[1][0]
    assert layer.groups == layer.in_channels
    values = torch.randn(1, layer.in_channels, 8, 8).bfloat16()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = layer(values)
    exact = torch.nn.functional.conv2d(
        values.float(), layer.weight, None, layer.stride, layer.padding, 1, layer.groups
    )
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.detach().bfloat16())


def test_bottleneck_stages_work_too():
    stages = (nets.Stage(8, 2, stride=2, tap=4), nets.Stage(12, 1, dilation=2, tap=4))
    network = tiny(stages=stages)
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 32, 48)).shape == (1, 6, 8, 12)


def test_class_features_are_roots_of_probabilities():
    network = tiny(classes=(4, 2))
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 32, 48))
    assert float(found.min()) > 0
    ones = torch.ones(1, 8, 12)
    torch.testing.assert_close(found[:, :4].square().sum(1), ones)
    torch.testing.assert_close(found[:, 4:].square().sum(1), ones)


def test_axes_tell_angles_of_the_layers_before():
    network = tiny(classes=(4, 2), axes=3)
    picture = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        before = network(picture)
    assert before.shape == (1, 12, 8, 12)
    assert float(before[:, 6:].abs().max()) == 0  # not found yet
    assert network.train()(picture).shape == (1, 6, 8, 12)
    axes = nets.Axes(5, 5)
    axes.vectors.copy_(0.5 * torch.linalg.qr(torch.randn(5, 5))[0])
    values = torch.randn(1, 5, 3, 4)
    found = axes(values)[0].flatten(1)
    unit = values[0].flatten(1)
    unit = unit / unit.norm(dim=0)
    torch.testing.assert_close(found.T @ found, 0.25 * unit.T @ unit)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("shape", [(32, 48), (33, 47), (16, 16)])
def test_any_size_in_one_output_size(stride, shape):
    network = tiny(output_stride=stride)
    with torch.inference_mode():
        found = network(torch.rand(2, 3, *shape))
    assert found.shape == (2, 6, -(-shape[0] // stride), -(-shape[1] // stride))


def test_mixing_before_enlarging_is_the_papers_concatenation():
    """1x1 convolutions commute with interpolation: compare with Fig. 1 as drawn."""
    network = tiny(global_channels=0, output_stride=1)
    picture = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        values = (picture - network.mean) / network.std
        sources = [values]
        values = network.stem(values)
        for stage, sizes in zip(network.stages, network.config.stages, strict=True):
            values = stage(values)
            if sizes.tap:
                sources.append(values)
        taps = [
            torch.nn.functional.interpolate(
                tap(source), (32, 32), mode="bilinear", align_corners=False
            )
            for tap, source in zip(network.taps, sources, strict=True)
        ]
        weight = torch.cat([mixer.weight for mixer in network.mixers], 1)
        mixed = torch.nn.functional.conv2d(
            torch.cat(taps, 1), weight, network.mixers[0].bias
        )
        expected = network.head(torch.relu(mixed))
        torch.testing.assert_close(network(picture), expected, atol=1e-5, rtol=1e-4)


def test_seed_decides_the_weights_and_leaves_the_global_state():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = tiny(3), tiny(3), tiny(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_flip_averaging_is_symmetric():
    network, picture = tiny(), torch.rand(3, 40, 64)
    with torch.inference_mode():
        found = nets.describe_picture(network, picture, (32, 64))
        mirrored = nets.describe_picture(network, picture.flip(-1), (32, 64))
    assert found.shape == (6, 10, 16)
    torch.testing.assert_close(found, mirrored.flip(-1), atol=1e-5, rtol=1e-4)
    assert float(found.norm(dim=0).max()) <= 1 + 1e-5


def test_describing_a_picture_can_be_cancelled():
    class Stop(Exception):
        pass

    def check():
        raise Stop

    with pytest.raises(Stop):
        nets.describe_picture(tiny(), torch.rand(3, 32, 32), (32,), check=check)


def test_bad_config():
    with pytest.raises(ValueError, match="stages is empty"):
        nets.FeatureConfig(stages=())
    with pytest.raises(ValueError, match="dims=7, not 6"):
        replace(TINY, classes=(4, 3))
    with pytest.raises(ValueError, match="sizes is empty"):
        nets.describe_picture(tiny(), torch.rand(3, 32, 32), ())


def test_weights_come_back(tmp_path):
    network = tiny(1)
    with torch.no_grad():
        network.stem[1].running_var.fill_(1e-7)  # would vanish in float16
    path = weights.save_network(
        tmp_path / "mine.safetensors", "features", network, about={"steps": 3}
    )
    loaded = weights.load_network(path, kind="features")
    assert loaded.config == network.config
    assert not loaded.training
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    again = tiny(2)
    weights.put_weights(again, path, "features")
    assert float(again.stem[1].running_var[0]) == pytest.approx(1e-7)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(
            again.state_dict()[key].to(value), value, atol=1e-3, rtol=1e-3
        )
    picture = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        torch.testing.assert_close(
            loaded(picture), again(picture), atol=1e-5, rtol=1e-4
        )
    assert weights.load_network(path) is loaded
    described = weights.describe_weights(path)
    assert described["network"] == "features"
    assert described["about"] == {"steps": 3}


def test_changed_file_is_read_again(tmp_path):
    path = tmp_path / "mine.safetensors"
    weights.save_network(path, "features", tiny(1))
    first = weights.load_network(path).head.weight.clone()
    weights.save_network(path, "features", tiny(2))
    path.touch()
    assert not torch.equal(weights.load_network(path).head.weight, first)


def test_errors_of_weights(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match="no weights 'nothing'"):
        weights.load_network("nothing")
    pickled = tmp_path / "old.pth"
    pickled.write_bytes(b"\x80\x02")
    with pytest.raises(ValueError, match="safetensors"):
        weights.load_network(pickled)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="no readable safetensors"):
        weights.load_network(broken)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(2)}, str(foreign))
    with pytest.raises(ValueError, match="does not say"):
        weights.load_network(foreign)
    network = tiny()
    path = weights.save_network(tmp_path / "mine.safetensors", "features", network)
    with pytest.raises(ValueError, match="not 'palette'"):
        weights.load_network(path, kind="palette")
    network.config = replace(TINY, hidden=16)
    path = weights.save_network(tmp_path / "wrong.safetensors", "features", network)
    with pytest.raises(ValueError, match="does not fit"):
        weights.load_network(path)
    with pytest.raises(ValueError, match="no kind of network"):
        weights.save_network(tmp_path / "x.safetensors", "magic", network)
    network.config = {"a": 1}
    with pytest.raises(TypeError, match="dataclass"):
        weights.save_network(tmp_path / "x.safetensors", "features", network)


def test_shipped_features_load():
    shipped = weights.shipped_weights()
    assert "features-compact" in shipped
    assert shipped["features-compact"].stat().st_size < 10e6
    network = weights.load_network("features")
    assert network is weights.load_network("features-compact", kind="features")
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 64, 64))
    assert np.isfinite(found.numpy()).all()
