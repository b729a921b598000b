"""What `catsdogs review` rests on: label issues, neighbours, look-alikes, looks; their order."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from catsdogs.checking.appearance import appearance_of
from catsdogs.checking.crops import MIN_AGREEMENT, overlap
from catsdogs.checking.label_issues import LabelIssue, find_label_issues
from catsdogs.checking.look_alikes import LookAlike, find_look_alikes
from catsdogs.checking.neighbours import nearest_neighbours, unit_features
from catsdogs.checking.suspects import Seen, rank_suspects
from catsdogs.evaluation.log_loss import log_probabilities
from catsdogs.training.heads.logistic import (
    fit_logistic,
    out_of_fold_logits,
)


def draw(seed, size=(192, 256)):
    """A picture of soft blobs with fine grain: as sharp as a photo."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3)).astype(np.uint8))
    soft = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), int)
    grain = generator.integers(-40, 41, soft.shape)
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


def test_photos_that_count_as_another_class_are_issues_the_surest_first():
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.001, 0.999], [0.04, 0.96]]
    )
    labels = np.array([0, 0, 1, 1, 0, 0])
    assert find_label_issues(np.log(probabilities), labels) == [
        LabelIssue(4, 1, True),
        LabelIssue(5, 1, True),
    ]


def test_a_class_that_heads_are_unsure_of_needs_less_to_count():
    unsure = [[0.55, 0.45, 0.0], [0.45, 0.55, 0.0], [0.0, 0.05, 0.95]]
    probabilities = np.array(
        [unsure[0]] * 9 + [unsure[1]] * 9 + [unsure[2]] * 9 + [[0.44, 0.56, 0]]
    )
    labels = np.array([0] * 9 + [1] * 9 + [2] * 9 + [0])
    confident = [
        i for i in find_label_issues(np.log(probabilities + 1e-12), labels) if i.is_confident
    ]
    assert confident == [LabelIssue(27, 1, True)]


def test_a_photo_that_reaches_no_class_is_an_issue_where_another_is_more_probable():
    probabilities = np.array([[0.99, 0.01], [0.01, 0.99], [0.6, 0.4], [0.4, 0.6]])
    found = find_label_issues(np.log(probabilities), np.array([0, 1, 1, 1]))
    assert found == [LabelIssue(2, 0, False)]


def make_classes(count=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = generator.normal(0, 1, (count, 16)) + 2.5 * labels[:, None]
    return features, labels


def test_out_of_fold_answers_find_planted_labels():
    features, labels = make_classes()
    turned = np.random.default_rng(1).choice(200, 10, replace=False)
    given = labels.copy()
    given[turned] = 1 - given[turned]
    answers = log_probabilities(out_of_fold_logits(features, given, 2))
    found = [issue.position for issue in find_label_issues(answers, given)]
    assert len(set(found[:10]) & set(turned.tolist())) >= 9


def test_of_few_photos_with_many_features_a_planted_label_is_found():
    generator = np.random.default_rng(3)
    labels = np.arange(60) % 2
    features = generator.normal(0, 1, (60, 500)) + 0.5 * labels[:, None]
    labels[7] = 1 - labels[7]
    answers = log_probabilities(out_of_fold_logits(features, labels, 2))
    assert find_label_issues(answers, labels)[0].position == 7


def test_out_of_fold_answers_do_not_come_from_the_photo_itself_nor_its_group():
    noise = np.random.default_rng(2).normal(0, 1, (40, 500))  # by which each can be remembered
    labels, photos = np.arange(40) % 2, np.arange(40)
    order = np.roll(photos, 1)  # or a photo and its copy would be of one fold by chance
    features, both = np.concatenate([noise, noise[order]]), np.append(labels, labels[order])
    alone = out_of_fold_logits(features, both, 2)
    grouped = out_of_fold_logits(features, both, 2, [*photos, *order])
    assert (alone.argmax(axis=1) == both).mean() > 0.9
    assert (grouped.argmax(axis=1) == both).mean() < 0.7


def test_out_of_fold_answers_are_close_to_those_of_heads_solved_one_by_one():
    features, labels = make_classes(100)
    answers = log_probabilities(out_of_fold_logits(features, labels, 2))
    head = fit_logistic(features[:80], labels[:80], 2)
    one_by_one = log_probabilities(head.logits(features[80:]))
    assert np.corrcoef(answers[80:, 0], one_by_one[:, 0])[0, 1] > 0.95


def test_out_of_fold_answers_among_many_classes_are_as_sure_as_those_of_a_solved_head():
    generator = np.random.default_rng(4)
    labels = np.arange(400) % 40
    features = generator.normal(0, 1, (40, 200))[labels] + generator.normal(0, 1.2, (400, 200))
    answers = log_probabilities(out_of_fold_logits(features, labels, 40))
    head = fit_logistic(features[80:], labels[80:], 40)
    solved = log_probabilities(head.logits(features[:80]))
    own = answers[np.arange(400), labels].mean(), solved[np.arange(80), labels[:80]].mean()
    assert own[0] == pytest.approx(own[1], abs=0.1)


def test_neighbours_are_those_of_all_cosines():
    units = unit_features(np.random.default_rng(0).normal(1, 1, (50, 8)).astype(np.float16))
    positions, cosines = nearest_neighbours(units, 3)
    everything = units @ units.T
    np.fill_diagonal(everything, -2)
    assert (positions == np.argsort(-everything, axis=1)[:, :3]).all()
    assert cosines == pytest.approx(-np.sort(-everything, axis=1)[:, :3])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_photos_have_few_neighbours(count):
    positions, cosines = nearest_neighbours(unit_features(np.eye(count, 4)), 10)
    assert positions.shape == cosines.shape == (count, count - 1)


EDITS = {
    "mirrored": ImageOps.mirror,
    "cropped": lambda image: image.crop((40, 20, 230, 170)),
    "cropped and mirrored": lambda image: ImageOps.mirror(image.crop((40, 20, 230, 170))),
    "smaller": lambda image: image.resize((100, 75)),
    "brighter": lambda image: image.point(lambda level: min(255, int(level * 1.3))),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_picture_lies_in_its_original(name):
    image = draw(1)
    found = overlap(EDITS[name](image), image)
    assert found.agreement >= MIN_AGREEMENT
    assert found.is_mirrored == ("mirrored" in name)


def test_other_pictures_do_not_lie_in_each_other():
    images = [draw(seed) for seed in range(6)]
    agreements = [overlap(a, b).agreement for a, b in itertools.combinations(images, 2)]
    assert max(agreements) < MIN_AGREEMENT - 0.05


def test_an_even_picture_lies_nowhere():
    assert overlap(Image.new("RGB", (200, 100), "navy"), draw(1)).agreement < 0.5


def test_look_alikes_are_found_by_content_by_picture_and_by_features(tmp_path):
    images = [draw(seed) for seed in range(4)]
    images += [images[0], ImageOps.mirror(images[1]), images[2].crop((40, 20, 230, 170))]
    paths = [tmp_path / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path)
    contents = [path.read_bytes()[:64] + path.read_bytes()[-64:] for path in paths]
    looks = [appearance_of(image) for image in images]
    positions = np.array([[1]] * 6 + [[2]])
    cosines = np.array([[0.1]] * 6 + [[0.95]])
    found = find_look_alikes(paths, contents, looks, positions, cosines)
    assert found == [
        LookAlike(0, 4, "the same file"),
        LookAlike(1, 5, "mirrored"),
        LookAlike(2, 6, "a part of it"),
    ]


def looks_of(image):
    return [
        suspect.reasons
        for suspect in rank_suspects(
            Seen(
                ["photo.jpg"],
                [b""],
                np.array([0]),
                ("cats", "dogs"),
                np.log([[0.9, 0.1]]),
                [],
                [],
                np.empty((1, 0)),
                [appearance_of(image)],
            )
        )
    ]


@pytest.mark.parametrize(
    ("edit", "kinds"),
    [
        (lambda image: image, []),
        (lambda image: image.point(lambda level: level // 8), ["too_dark"]),
        (lambda image: image.point(lambda level: 225 + level // 9), ["too_bright"]),
        (lambda image: image.filter(ImageFilter.GaussianBlur(8)), ["blurred"]),
    ],
)
def test_what_hardly_shows_anything_is_named(edit, kinds):
    found = looks_of(edit(draw(3)))
    assert [kind for reasons in found for kind in reasons if kind != "one_colour"] == kinds


def test_one_colour_is_named():
    assert "one_colour" in looks_of(Image.new("RGB", (60, 40), (200, 40, 40)))[0]
    assert "one_colour" in looks_of(draw(3).point(lambda level: 100 + level // 20))[0]


def test_suspects_stand_in_the_order_of_their_weightiest_kind():
    look = appearance_of(draw(3))
    flat = appearance_of(Image.new("RGB", (60, 40), (120, 110, 100)))
    cosines = np.full((12, 1), 0.5) + np.arange(12)[:, None] / 1000
    cosines[5] = -0.2
    seen = Seen(
        [f"{number}.jpg" for number in range(12)],
        [bytes([number]) for number in range(12)],
        np.array([0] * 6 + [1] * 6),
        ("cats", "dogs"),
        np.log([[0.9, 0.1]] * 6 + [[0.1, 0.9]] * 5 + [[0.99, 0.01]]),
        [LabelIssue(11, 0, True)],
        [
            LookAlike(0, 1, "mirrored"),
            LookAlike(2, 7, "the same file"),
            LookAlike(2, 11, "mirrored"),
        ],
        cosines,
        [flat if number == 3 else look for number in range(12)],
    )
    found = [(s.path, list(s.reasons), s.given, s.likely, s.other) for s in rank_suspects(seen)]
    assert [(path, kinds) for path, kinds, *_ in found] == [
        ("11.jpg", ["wrong_label", "near_copy"]),
        ("5.jpg", ["odd"]),
        ("7.jpg", ["near_copy"]),
        ("1.jpg", ["near_copy"]),
        ("3.jpg", ["one_colour", "blurred"])
        if "blurred" in found[4][1]
        else ("3.jpg", ["one_colour"]),
    ]
    assert found[0][2:] == ("dogs", "cats", "2.jpg")
    assert found[2][2:] == ("dogs", "dogs", "2.jpg")
