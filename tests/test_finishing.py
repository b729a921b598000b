"""What a training adds to a model file from photos that it was not trained on."""

import json

import keras
import numpy as np
import pytest

import catsdogs
from catsdogs.evaluation.calibration import at_temperature
from catsdogs.model.metadata import read_metadata

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_backbone")]

REDDISH, BLUISH, GREY = (150, 118, 118), (118, 118, 150), (128, 128, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Reddish and bluish noise, 30 of each to train on and 32 for validation, some of them grey."""
    from PIL import Image

    root = tmp_path_factory.mktemp("finishing")
    generator = np.random.default_rng(0)
    for split, count in (("train", 30), ("validation", 32)):
        for name, colour in (("cats", REDDISH), ("dogs", BLUISH)):
            place = root / "data" / split / name
            place.mkdir(parents=True)
            for index in range(count):
                noise = generator.integers(-90, 91, (24, 32, 3))
                pixels = np.clip(noise + (GREY if index % 8 == 7 else colour), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.png")
    return root


def settings(folder, **others):
    return {
        "model": {"backbone": "tiny", "weights": "random", "image_size": (32, 32)},
        "precision": "float32",
        "cache.dir": str(folder / "cache"),
        "run.dir": str(folder / "runs"),
        **others,
    }


@pytest.fixture(scope="module")
def trained(folder, tiny_backbone):
    """A model whose training said what it did, and those lines."""
    lines = []
    result = catsdogs.train(
        folder / "data",
        epochs=4,
        progress=lines.append,
        output=str(folder / "trained.h5"),
        **settings(folder),
    )
    return result, lines


def evaluation_of(path, folder):
    return catsdogs.load(path, precision="float32", engine="keras").evaluate(
        folder / "data" / "validation"
    )


def test_a_training_calibrates_on_the_validation_photos_and_says_so(trained):
    result, lines = trained
    (line,) = [line for line in lines if line.startswith("probabilities calibrated")]
    metadata = read_metadata(result.model_path)
    assert metadata.temperature != 1
    assert line == (
        f"probabilities calibrated on 64 held-out photos: temperature {metadata.temperature:.3f}, "
        f"log loss {result.history.kept.validation_loss:.4f} to {metadata.validation.loss:.4f}"
    )
    assert metadata.validation.loss < result.history.kept.validation_loss
    assert result.score.loss == metadata.validation.loss


def test_the_saved_model_has_the_loss_that_was_said(trained, folder):
    result, _ = trained
    evaluation = evaluation_of(result.model_path, folder)
    assert evaluation.loss == pytest.approx(result.score.loss, rel=1e-4)
    assert evaluation.accuracy == result.score.accuracy
    assert evaluation.uncalibrated.loss == pytest.approx(
        result.history.kept.validation_loss, rel=1e-4
    )


def test_plain_keras_gives_the_calibrated_probabilities(trained, folder):
    result, _ = trained
    plain = keras.models.load_model(result.model_path, compile=False)
    photos = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    expected = catsdogs.load(result.model_path, precision="float32", engine="keras").predict(photos)
    rows = plain.predict(photos.astype(np.float32), verbose=0)
    for row, answer in zip(rows, expected, strict=True):
        own = [answer.probabilities[name] for name in ("cats", "dogs")]
        np.testing.assert_allclose(row, own, rtol=1e-4)


def test_fine_tuning_compares_epochs_without_a_temperature_and_fits_one_anew(trained, folder):
    result, _ = trained
    tuned = catsdogs.finetune(
        result,
        data=folder / "data",
        epochs=1,
        head_epochs=0,
        output=str(folder / "tuned.h5"),
        **{key: value for key, value in settings(folder).items() if key != "model"},
    )
    start, before = tuned.history.epochs[0], result.history.kept
    assert start.validation_loss == pytest.approx(before.validation_loss, rel=1e-3)
    evaluation = evaluation_of(tuned.model_path, folder)
    assert evaluation.loss == pytest.approx(tuned.score.loss, rel=1e-3)
    assert tuned.score.loss <= tuned.history.kept.validation_loss


def test_too_few_photos_leave_probabilities_as_they_are(folder):
    lines = []
    result = catsdogs.train(
        folder / "data",
        epochs=1,
        subsample=2,
        progress=lines.append,
        output=str(folder / "few.h5"),
        **settings(folder),
    )
    assert (
        "32 held-out photos are too few to calibrate probabilities (50 would do): "
        "they stay as they are" in lines
    )
    assert read_metadata(result.model_path).temperature == 1
    assert result.score.loss == result.history.kept.validation_loss
    assert evaluation_of(result.model_path, folder).uncalibrated is None


def test_streamed_photos_calibrate_as_stored_features_do(folder):
    result = catsdogs.train(
        folder / "data",
        epochs=1,
        output=str(folder / "streamed.h5"),
        **settings(folder, augment={"views": 0}),
    )
    evaluation = evaluation_of(result.model_path, folder)
    assert read_metadata(result.model_path).temperature != 1
    assert evaluation.loss == pytest.approx(result.score.loss, rel=2e-3)


def test_folds_calibrate_on_answers_of_heads_that_had_not_seen_the_photo(folder):
    result = catsdogs.train(
        folder / "data",
        folds=4,
        output=str(folder / "folds.h5"),
        **settings(folder),
    )
    assert result.score.loss < result.history.kept.validation_loss
    # the head itself has seen all of them, and is surer than it should be
    seen = evaluation_of(result.model_path, folder)
    assert seen.loss < result.score.loss


def test_evaluate_shows_calibration_before_and_after(trained, folder, call):
    result, _ = trained
    arguments = (folder / "data", "--model", result.model_path)
    lines = call("evaluate", *arguments).stdout.splitlines()
    (loss,) = [line for line in lines if line.startswith("log loss")]
    before, *words = loss.rpartition("nats; ")[2].split()
    assert words == ["before", "calibration"]
    assert float(before) == pytest.approx(result.history.kept.validation_loss, rel=1e-2)
    found = json.loads(call("evaluate", *arguments, "--format", "json").stdout)
    temperature = read_metadata(result.model_path).temperature
    assert found["uncalibrated"]["temperature"] == temperature
    assert found["uncalibrated"]["calibration_error"] != found["calibration_error"]


def test_the_loss_before_is_that_of_the_logits_that_were_not_divided(trained, folder):
    result, _ = trained
    model = catsdogs.load(result.model_path, precision="float32", engine="keras")
    paths = sorted((folder / "data" / "validation").rglob("*.png"))
    rows = np.array([[a.probabilities[n] for n in model.class_names] for a in model.predict(paths)])
    labels = np.array([path.parent.name == "dogs" for path in paths], int)
    before = at_temperature(rows, 1 / model.metadata.temperature)
    loss = -np.log(before[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(result.history.kept.validation_loss, rel=1e-4)


@pytest.fixture(scope="module")
def strict(folder, tiny_backbone):
    """A model that was trained to refuse one ordinary photo in twenty."""
    return catsdogs.train(
        folder / "data",
        epochs=2,
        output=str(folder / "strict.h5"),
        **settings(folder, unknown={"share": 0.05}),
    )


def test_a_training_stores_what_it_takes_to_refuse_and_the_share_asked_for(strict, trained):
    assert read_metadata(trained[0].model_path).unknown == 0
    assert catsdogs.load(trained[0].model_path)._predictor.known is not None
    metadata = read_metadata(strict.model_path)
    assert metadata.unknown == 0.05
    least, largest = metadata.limits
    assert 0.5 <= least < 1 < largest


def test_the_share_that_was_asked_for_is_refused_of_the_validation_photos(strict, folder):
    paths = sorted((folder / "data" / "validation").rglob("*.png"))
    answers = catsdogs.load(strict.model_path, precision="float32").predict(paths)
    assert 1 <= sum(answer.class_name == "neither" for answer in answers) <= 4  # of 64


def test_fine_tuning_learns_anew_what_photos_look_like_and_keeps_the_share(strict, folder):
    tuned = catsdogs.finetune(
        strict,
        data=folder / "data",
        epochs=1,
        learning_rate=1e-4,
        output=str(folder / "strict_tuned.h5"),
        **{key: value for key, value in settings(folder).items() if key != "model"},
    )
    before, after = (catsdogs.load(r.model_path)._predictor.known for r in (strict, tuned))
    assert read_metadata(tuned.model_path).unknown == 0.05
    assert len(after.held_out) == len(before.held_out) == 64
    if tuned.history.kept.number:
        assert np.abs(after.mean - before.mean).max() > 0


def test_folds_learn_from_all_photos_what_they_look_like(folder):
    result = catsdogs.train(
        folder / "data",
        folds=4,
        output=str(folder / "folds_strict.h5"),
        **settings(folder, unknown={"share": 0.05}),
    )
    known = catsdogs.load(result.model_path)._predictor.known
    assert len(known.held_out) == 124
    paths = sorted((folder / "data").rglob("*.png"))
    answers = catsdogs.load(result.model_path, precision="float32").predict(paths)
    assert sum(answer.class_name == "neither" for answer in answers) < 10  # of 124


def test_too_small_a_share_is_refused_before_anything_is_trained(folder, call):
    arguments = ("train", "--data", folder / "data", "--unknown", 0.01, "--output")
    result = call(*arguments, folder / "never.h5", code=2)
    assert result.stderr.splitlines()[-1] == (
        "error: unknown.share = 0.01 asks for 99 held-out photos to judge by, and there are 64: "
        "give more photos, set train.folds = 5 with head.kind = logistic, which judges by all "
        "photos, or ask for a share of 0.016 or more by --unknown SHARE"
    )
    assert not (folder / "never.h5").exists()
