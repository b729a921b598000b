import pytest
from scipy import stats

from catsdogs.evaluation.score import Score, no_better_than_one_answer, wilson_interval


# The last four: Newcombe, "Two-sided confidence intervals for the single proportion", 1998,
# table I, score method without continuity correction.
@pytest.mark.parametrize(
    ("num_correct", "num_photos", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_as_published(num_correct, num_photos, low, high):
    assert wilson_interval(num_correct, num_photos) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_holds_the_share_and_stays_within_0_and_1():
    for num_photos in range(1, 121):
        for num_correct in range(num_photos + 1):
            low, high = wilson_interval(num_correct, num_photos)
            assert 0 <= low <= num_correct / num_photos + 1e-12
            assert num_correct / num_photos - 1e-12 <= high <= 1


def test_wilson_interval_narrows_with_more_photos():
    widths = [high - low for low, high in (wilson_interval(9 * n, 10 * n) for n in (1, 10, 100))]
    assert widths == sorted(widths, reverse=True)


def test_score_text_has_interval_and_number_of_photos():
    text = "accuracy 0.8000 (95% interval 0.4902 to 0.9433, 10 photos), loss 0.5000"
    assert str(Score(loss=0.5, accuracy=0.8, num_photos=10)) == text


def test_score_text_groups_thousands():
    text = "accuracy 1.0000 (95% interval 0.9997 to 1.0000, 12,345 photos), loss 0.0000"
    assert str(Score(loss=0.0, accuracy=1.0, num_photos=12345)) == text


def test_score_interval_survives_a_float32_accuracy():
    score = Score(loss=0.5, accuracy=0.800000011920929, num_photos=10)
    assert score.interval == wilson_interval(8, 10)


def test_an_accuracy_that_one_answer_would_give_is_called_that():
    counts = {"cats": 95, "dogs": 5}
    assert no_better_than_one_answer(0.949999988, counts) == (
        "accuracy 0.9500 is no better than always answering cats, the class of 95 of 100 photos"
    )
    assert no_better_than_one_answer(0.96, counts) == ""
    assert no_better_than_one_answer(0.5, {"cats": 50, "dogs": 50}) != ""


@pytest.mark.parametrize(("correct", "photos"), [(0, 1), (1, 1), (3, 5), (790, 800), (40, 40)])
def test_wilson_interval_is_scipys(correct, photos):
    theirs = stats.binomtest(correct, photos).proportion_ci(method="wilson")
    assert wilson_interval(correct, photos) == pytest.approx(tuple(theirs), abs=1e-12)
