import os
import resource
import struct
import time
import zipfile

import h5py
import numpy as np
import pytest

from catsdogs.errors import ModelFileError
from catsdogs.untrusted.boundary import reason_of
from catsdogs.untrusted.hdf5 import WAY_OUT, open_hdf5, read_array, read_text, stored_layers


def write(path, make):
    """A file in Keras' layout with one layer `dense`, whose kernel `make(group, name)` adds."""
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"images", b"dense"]
        weights.create_group("images").attrs["weight_names"] = np.array([])
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel"]
        make(group.create_group("dense"), "kernel")
        file["padding"] = np.zeros(4096, np.uint8)


def read(path):
    with open_hdf5(path) as file:
        return {
            layer.name: [read_array(array) for array in layer.arrays]
            for layer in stored_layers(file)
        }


def refusal(path):
    with pytest.raises(ModelFileError) as error:
        read(path)
    return str(error.value).removeprefix(f"{path} ")


def damage(reason):
    return f"is damaged ({reason}): train it again, or give another"


def test_layers_with_weights_are_read_in_order(tmp_path):
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=kernel))
    found = read(tmp_path / "m.h5")
    assert list(found) == ["dense"]
    np.testing.assert_array_equal(found["dense"], [kernel])


def test_long_lists_of_names_that_keras_splits_are_put_together(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        weights = file.create_group("model_weights")
        for number, name in enumerate(["first", "second"]):
            weights.attrs[f"layer_names{number}"] = [name.encode()]
            weights.create_group(name).attrs["weight_names"] = [b"bias"]
            weights[name]["bias"] = np.zeros(2)
    assert list(read(tmp_path / "m.h5")) == ["first", "second"]


def soft_link(group, name):
    group[name] = h5py.SoftLink("/padding")


def external_link(group, name):
    group[name] = h5py.ExternalLink("/etc/passwd", "/x")


def external_storage(group, name):
    group.create_dataset(name, (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(group, name):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    group.create_virtual_dataset(name, layout)


def never_written(group, name):
    group.create_dataset(name, (10**6, 10**6), "f4")


def compressed(group, name):
    group.create_dataset(name, (10**4, 10**4), "f4", chunks=True, compression="gzip")


def texts(group, name):
    group.create_dataset(name, data=["a", "b"])


def references(group, name):
    group.create_dataset(name, data=group.ref, dtype=h5py.ref_dtype)


def structured(group, name):
    group.create_dataset(name, data=np.zeros(2, [("a", "f4"), ("b", "i4")]))


def empty(group, name):
    group.create_dataset(name, data=h5py.Empty("f4"))


def folder(group, name):
    group.create_group(name)


def nothing(group, name):
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (soft_link, "dense/kernel is a link to another place"),
        (external_link, "dense/kernel is a link to another place"),
        (external_storage, "dense/kernel is stored in another file"),
        (virtual, "dense/kernel is stored in another file"),
        (never_written, "its weights claim more bytes than the file has"),
        (compressed, "dense/kernel is compressed or in chunks, as Keras never writes it"),
        (texts, "dense/kernel holds no numbers"),
        (references, "dense/kernel holds no numbers"),
        (structured, "dense/kernel holds no numbers"),
        (empty, "dense/kernel is no array"),
        (folder, "dense/kernel is no array"),
        (nothing, "it has no dense/kernel"),
    ],
)
def test_arrays_that_are_not_plain_numbers_in_the_file_are_refused(tmp_path, make, reason):
    write(tmp_path / "m.h5", make)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(tmp_path / "m.h5") == damage(reason)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_one_array_named_many_times_counts_many_times(tmp_path):
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=np.ones(64)))
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["model_weights/dense"].attrs["weight_names"] = [b"dense/kernel"] * 1000
    assert refusal(tmp_path / "m.h5") == damage("its weights claim more bytes than the file has")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    kernel = np.array([0, value], np.float32)
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=kernel))
    assert refusal(tmp_path / "m.h5") == damage(
        "/model_weights/dense/dense/kernel holds values that are no numbers, NaN or infinite"
    )


@pytest.mark.parametrize("names", [b"dense", 3, [1, 2], [[b"dense"]]])
def test_names_that_are_no_list_are_refused(tmp_path, names):
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=np.ones(2)))
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["model_weights"].attrs["layer_names"] = names
    assert refusal(tmp_path / "m.h5") == damage("its attribute layer_names is no list of names")


@pytest.mark.parametrize("name", ["", "/", "dense/", "..", ".", "no such", "images/x"])
def test_names_that_lead_nowhere_are_refused(tmp_path, name):
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=np.ones(2)))
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["model_weights"].attrs["layer_names"] = [name]
    assert refusal(tmp_path / "m.h5") == damage(f"it has no {name}".strip())


@pytest.mark.parametrize("value", [3, [b"a", b"b"], "x" * (4 * 2**20 + 1)])
def test_texts_that_are_none_are_refused(tmp_path, value):
    with h5py.File(tmp_path / "m.h5", "w", libver="latest") as file:
        file.attrs["text"] = value
    with pytest.raises(ModelFileError, match="is damaged"), open_hdf5(tmp_path / "m.h5") as file:
        read_text(file, "text")


@pytest.mark.parametrize("value", ["naïve", "naïve".encode(), np.bytes_("naïve".encode())])
def test_texts_are_read_however_they_are_stored(tmp_path, value):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["text"] = value
    with open_hdf5(tmp_path / "m.h5") as file:
        assert read_text(file, "text") == "naïve"
        assert read_text(file, "other") is None


@pytest.mark.parametrize("ignored", [b"\0\0\0", b"any"])
def test_texts_that_would_keep_the_library_forever_are_refused(tmp_path, ignored):
    write(tmp_path / "m.h5", nothing)
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["text"] = "a text of variable length"
    content = bytearray((tmp_path / "m.h5").read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 5 : heap + 8] = ignored  # by the library
    (tmp_path / "m.h5").write_bytes(content)
    with open_hdf5(tmp_path / "m.h5") as file:
        assert read_text(file, "text") == "a text of variable length"
    content[heap + 16 : heap + 32] = bytes(16)  # the first text: free, and of length zero
    (tmp_path / "m.h5").write_bytes(content)
    assert refusal(tmp_path / "m.h5") == f"is damaged (its texts have no end): {WAY_OUT}"


def test_weights_that_look_like_the_start_of_texts_are_read(tmp_path):
    values = np.frombuffer(b"GCOL\x01\x07\x07\x07" + b"\x05" * 56, np.uint8)
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=values))
    np.testing.assert_array_equal(read(tmp_path / "m.h5")["dense"][0], values)


def shared_names(path, num_names, length=4_000_000):
    """A list of names that are all one long text: the references of HDF5 lead to one place."""
    with h5py.File(path, "w", libver="earliest") as file:
        group = file.create_group("model_weights")
        names = ["A" * length] + [f"b{number:05}" for number in range(num_names - 1)]
        texts = np.array(names, dtype=object)
        group.attrs.create("layer_names", texts, dtype=h5py.string_dtype())
    content = bytearray(path.read_bytes())
    at = content.find(struct.pack("<I", length))
    while struct.unpack_from("<I", content, at + 16)[0] != 6:  # the next name's length
        at = content.find(struct.pack("<I", length), at + 1)
    for number in range(num_names):
        content[at + 16 * number : at + 16 * number + 16] = content[at : at + 16]
    path.write_bytes(content)


def test_lists_of_thousands_of_names_are_read(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = "x" * 500_000
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"layer" * 4] * 2000
        weights.create_group("layer" * 4).attrs["weight_names"] = np.array([])
    assert read(tmp_path / "m.h5") == {}


def test_one_text_named_many_times_is_not_expanded(tmp_path):
    shared_names(tmp_path / "m.h5", 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(tmp_path / "m.h5") == damage("it uses one long text more than 8 times")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def heaps(count, reserved=b"\0\0\0"):
    """Heaps each of which begins in the one before and reaches to the end."""
    parts = []
    for number in range(count):
        parts.append(b"GCOL\x01" + reserved + struct.pack("<Q", 32 * (count - number)))
        parts.append(
            struct.pack("<HHIQ", *((0, 0, 0, 16) if number == count - 1 else (1, 1, 0, 16)))
        )
    return b"".join(parts)


@pytest.mark.parametrize("place", ["alone", "in front", "behind", "as weights"])
@pytest.mark.parametrize("reserved", [b"\0\0\0", b"any"])
def test_heaps_in_one_another_are_refused_at_once(tmp_path, place, reserved):
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=np.ones(2)))
    trap = heaps(100_000, reserved)
    if place == "as weights":
        array = np.frombuffer(trap, np.uint8)
        write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=array))
    else:
        sound = (tmp_path / "m.h5").read_bytes()
        around = {"alone": trap, "in front": trap + sound, "behind": sound + trap}
        (tmp_path / "m.h5").write_bytes(around[place])
    start = time.process_time()
    assert "is damaged" in refusal(tmp_path / "m.h5")
    assert time.process_time() - start < 5


def test_file_that_is_cut_while_it_is_read_stays_as_it_was(tmp_path):
    kernel = np.arange(100_000, dtype=np.float32)
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=kernel))
    with open_hdf5(tmp_path / "m.h5") as file:
        os.truncate(tmp_path / "m.h5", 100)
        ((array,),) = (layer.arrays for layer in stored_layers(file))
        np.testing.assert_array_equal(read_array(array), kernel)


def test_files_of_gigabytes_are_refused_by_their_size(tmp_path):
    write(tmp_path / "m.h5", nothing)
    os.truncate(tmp_path / "m.h5", 2**40)
    assert refusal(tmp_path / "m.h5") == ("cannot be read (larger than 768 MiB): give another")


def test_numbers_too_large_for_float32_are_refused(tmp_path):
    write(tmp_path / "m.h5", lambda group, name: group.create_dataset(name, data=[1e300]))
    assert "holds values that are no numbers" in refusal(tmp_path / "m.h5")


def test_what_is_no_ordinary_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "empty.h5").touch()
    (tmp_path / "text.h5").write_text("hello")
    way_out = "give a model file"
    assert refusal(tmp_path / "pipe.h5") == f"is a pipe, socket or device, not a file: {way_out}"
    assert refusal(tmp_path / "folder.h5") == f"is a folder, not a file: {way_out}"
    assert refusal(tmp_path / "empty.h5") == "is empty: train it again, or give another"
    assert (
        refusal(tmp_path / "text.h5")
        == "is damaged (it is no HDF5 file): train it again, or give another"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_that_may_not_be_read_says_so(tmp_path):
    write(tmp_path / "m.h5", nothing)
    (tmp_path / "m.h5").chmod(0)
    assert refusal(tmp_path / "m.h5") == ("cannot be read (permission denied): give another")


def test_a_zipped_keras_file_is_named_as_what_it_is(tmp_path):
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert refusal(path) == (
        "is a zip file, as Keras writes under the name of .keras: open it in Keras and save it by "
        "model.save('NAME.h5'), or give another"
    )


def test_a_sentence_of_hdf5_is_no_name():
    reason = reason_of(KeyError("Unable to synchronously open object (message not aligned)"))
    assert reason == "Unable to synchronously open object (message not aligned)"
    assert reason_of(KeyError("model_weights")) == "it has no model_weights"
