import csv
import io
import json
from dataclasses import dataclass, field

import pytest

from catsdogs.reporting.predictions import write_predictions
from catsdogs.reporting.table import path_last

FORMATS = ["text", "json", "jsonl", "csv"]


@dataclass
class Answer:
    name: str
    probabilities: dict = field(default_factory=dict)
    error: str = ""
    strangeness: float | None = None
    refused_as: str = ""


ANSWERS = [
    Answer("a/cat.jpg", {"cats": 0.75, "dogs": 0.25}),
    Answer("a/half.jpg", error="damaged: image file is truncated"),
    Answer("dog.png", {"dogs": 0.9375, "cats": 0.0625}),
]


def written(format_name, answers=ANSWERS, top=1, class_names=("cats", "dogs")):
    lines = []
    write_predictions(answers, class_names, format_name, top, lines.append)
    return lines


def parsed_csv(lines):
    return list(csv.reader(io.StringIO("\n".join(lines) + "\n", newline="")))


def test_text_has_the_best_class_a_line():
    assert written("text") == [
        "a/cat.jpg\tcats\t0.7500",
        "a/half.jpg\terror\tdamaged: image file is truncated",
        "dog.png\tdogs\t0.9375",
    ]


def test_text_has_several_classes_a_photo_on_request():
    assert written("text", top=5) == [
        "a/cat.jpg\tcats\t0.7500",
        "a/cat.jpg\tdogs\t0.2500",
        "a/half.jpg\terror\tdamaged: image file is truncated",
        "dog.png\tdogs\t0.9375",
        "dog.png\tcats\t0.0625",
    ]


def test_for_people_the_path_stands_behind_straight_columns():
    lines = [path_last(line, ("cats", "dogs", "猫たち")) for line in written("text")]
    assert lines == [
        "cats    0.7500  a/cat.jpg",
        "error   damaged: image file is truncated  a/half.jpg",
        "dogs    0.9375  dog.png",
    ]
    refused = Answer("sofa.png", {"cats": 0.75, "dogs": 0.25}, "", 0.9963, "neither")
    lines = written("text", [ANSWERS[0], refused, ANSWERS[1]], top=2)
    assert [path_last(line, ("cats", "neither"), "strangeness") for line in lines] == [
        "cats     0.7500              a/cat.jpg",
        "dogs     0.2500              a/cat.jpg",
        "neither  0.9963 strangeness  sofa.png",
        "cats     0.7500              sofa.png",
        "error    damaged: image file is truncated  a/half.jpg",
    ]
    assert path_last("猫.jpg\t猫\t0.9\t猫.png", ["cats"]) == "猫    0.9  猫.jpg  猫.png"


def test_json_is_an_array_with_an_element_a_line():
    assert written("json") == [
        "[",
        '  {"path": "a/cat.jpg", "class": "cats", "probability": 0.75, '
        '"probabilities": {"cats": 0.75, "dogs": 0.25}},',
        '  {"path": "a/half.jpg", "error": "damaged: image file is truncated"},',
        '  {"path": "dog.png", "class": "dogs", "probability": 0.9375, '
        '"probabilities": {"dogs": 0.9375, "cats": 0.0625}}',
        "]",
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_json_is_valid_for_any_number_of_photos(count):
    elements = json.loads("\n".join(written("json", ANSWERS[:count])))
    assert [element["path"] for element in elements] == [a.name for a in ANSWERS[:count]]


def test_json_lines_are_objects():
    assert written("jsonl") == [
        '{"path": "a/cat.jpg", "class": "cats", "probability": 0.75, '
        '"probabilities": {"cats": 0.75, "dogs": 0.25}}',
        '{"path": "a/half.jpg", "error": "damaged: image file is truncated"}',
        '{"path": "dog.png", "class": "dogs", "probability": 0.9375, '
        '"probabilities": {"dogs": 0.9375, "cats": 0.0625}}',
    ]


def test_csv_has_a_column_a_class():
    assert written("csv") == [
        "path,class,probability,cats,dogs,error",
        "a/cat.jpg,cats,0.75,0.75,0.25,",
        "a/half.jpg,,,,,damaged: image file is truncated",
        "dog.png,dogs,0.9375,0.0625,0.9375,",
    ]


@pytest.mark.parametrize(
    ("format_name", "lines"),
    [
        ("text", []),
        ("json", ["[", "]"]),
        ("jsonl", []),
        ("csv", ["path,class,probability,cats,dogs,error"]),
    ],
)
def test_no_photos_give_an_empty_answer(format_name, lines):
    assert written(format_name, []) == lines


@pytest.mark.parametrize("format_name", FORMATS)
def test_failures_are_counted(format_name):
    ignore = [].append
    assert write_predictions(ANSWERS, ("cats", "dogs"), format_name, 1, ignore) == 1
    assert write_predictions(ANSWERS[1:2] * 3, ("cats", "dogs"), format_name, 1, ignore) == 3
    assert write_predictions(ANSWERS[::2], ("cats", "dogs"), format_name, 1, ignore) == 0


@pytest.mark.parametrize(("format_name", "num_written"), [("text", 1), ("jsonl", 1), ("csv", 2)])
def test_answers_are_written_as_soon_as_they_are_there(format_name, num_written):
    lines = []

    def answers():
        yield ANSWERS[0]
        assert len(lines) == num_written
        yield ANSWERS[2]

    write_predictions(answers(), ("cats", "dogs"), format_name, 1, lines.append)
    assert len(lines) == num_written + 1


STRANGE = 'a\tb\nc\rd\x1b[2J,"e".jpg'


def test_text_writes_control_characters_out():
    answers = [
        Answer(STRANGE, {"ca\tts": 1.0}),
        Answer("a.jpg", error="damaged:\n\x1b[2J"),
    ]
    assert written("text", answers) == [
        'a\\tb\\nc\\rd\\x1b[2J,"e".jpg\tca\\tts\t1.0000',
        "a.jpg\terror\tdamaged:\\n\\x1b[2J",
    ]


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_json_keeps_control_characters_escaped(format_name):
    lines = written(format_name, [Answer(STRANGE, {"cats": 1.0})])
    assert "".join(lines).isprintable()
    found = json.loads("".join(lines))
    assert (found[0] if format_name == "json" else found)["path"] == STRANGE


@pytest.mark.parametrize("path", ["a\tb.jpg", "a\nb.jpg", "a\rb.jpg", 'a,"b".jpg', STRANGE])
def test_csv_keeps_any_path_in_one_field(path):
    rows = parsed_csv(written("csv", [Answer(path, {"cats": 0.75, "dogs": 0.25})]))
    assert rows[1:] == [[path, "cats", "0.75", "0.75", "0.25", ""]]


def test_csv_quotes_class_names_with_commas():
    answers = [Answer("a.jpg", {'say "meow"': 0.75, "cats, big": 0.25})]
    lines = written("csv", answers, class_names=("cats, big", 'say "meow"'))
    assert lines == [
        'path,class,probability,"cats, big","say ""meow""",error',
        'a.jpg,"say ""meow""",0.75,0.25,0.75,',
    ]


def test_csv_has_no_formulas_and_numbers_are_left_alone():
    answers = [Answer("-2+3.jpg", {"=HYPERLINK(1)": 1e-7, "dogs": -0.0})]
    assert parsed_csv(written("csv", answers, class_names=("=HYPERLINK(1)", "dogs"))) == [
        ["path", "class", "probability", "'=HYPERLINK(1)", "dogs", "error"],
        ["'-2+3.jpg", "'=HYPERLINK(1)", "1e-07", "1e-07", "-0.0", ""],
    ]
    failed = [Answer("@a.jpg", error="=damaged")]
    assert written("csv", failed)[1] == "'@a.jpg,,,,,'=damaged"


HTML = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "name", ["gpj\u202etac", "\x9b2J", "\x7f", "\udcff", "\x1b]0;title\x07", HTML]
)
def test_no_name_acts_on_a_terminal_in_text_or_json(name):
    answers = [Answer(name, {name: 1.0})]
    for format_name in ("text", "json", "jsonl"):
        lines = written(format_name, answers, class_names=(name,))
        assert "".join(lines).replace("\t", "").isprintable()
    assert json.loads(written("jsonl", answers, class_names=(name,))[0])["class"] == name
