import pytest

from catsdogs.training.plan import default_batch_size


@pytest.mark.parametrize(
    ("num_photos", "batch_size"), [(2, 4), (100, 4), (480, 8), (2000, 32), (10**6, 32)]
)
def test_an_epoch_makes_about_sixty_steps(num_photos, batch_size):
    assert default_batch_size(num_photos) == batch_size
