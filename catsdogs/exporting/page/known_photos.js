// Tells photos of other things from those that a model knows: as catsdogs/model/known_photos.py.

class KnownPhotos {
  /** @param {{mean, axes, spreads, held_out}} arrays Float32Array each, rows one after the other. */
  constructor({ mean, axes, spreads, held_out: heldOut }) {
    this.mean = mean;
    this.axes = axes;
    this.spreads = spreads;
    const count = heldOut.length / 2;
    const column = (which) => Float32Array.from({ length: count }, (_, row) => heldOut[2 * row + which]);
    this.confidences = column(0).sort();
    this.distances = column(1).sort();
    this.ownRanks = Float64Array.from({ length: count }, (_, row) =>
      this.#rank(heldOut[2 * row], heldOut[2 * row + 1]),
    ).sort();
  }

  /** How far a photo's features lie from those that were trained on. */
  #distance(features) {
    const numAxes = this.spreads.length - 1;
    const along = new Float64Array(numAxes);
    const length = Math.max(Math.hypot(...features), 1e-12);
    let whole = 0;
    for (let index = 0; index < features.length; index++) {
      const centred = features[index] / length - this.mean[index];
      whole += centred * centred;
      for (let axis = 0; axis < numAxes; axis++) along[axis] += centred * this.axes[index * numAxes + axis];
    }
    let sum = 0;
    let inside = 0;
    for (let axis = 0; axis < numAxes; axis++) {
      inside += along[axis] ** 2;
      sum += (along[axis] / this.spreads[axis]) ** 2;
    }
    return Math.sqrt(sum + Math.max(0, whole - inside) / this.spreads[numAxes] ** 2);
  }

  #rank(confidence, distance) {
    const count = this.distances.length;
    const moreProbable = count - numBelow(this.confidences, Math.fround(confidence), true);
    return Math.max(moreProbable, numBelow(this.distances, Math.fround(distance), false));
  }

  /** The share of held-out photos that are less strange: a photo is refused from 1 - share on. */
  strangeness(features, confidence) {
    const rank = this.#rank(confidence, this.#distance(features));
    return numBelow(this.ownRanks, rank, false) / (this.ownRanks.length + 1);
  }
}

/** How many of some ascending numbers are below a value, or, with `equals`, not above it. */
function numBelow(numbers, value, equals) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < value || (equals && numbers[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
