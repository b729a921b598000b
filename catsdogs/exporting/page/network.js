// Runs a network that is written as a list of layers, on TensorFlow.js' kernels.

const DECODED_HALVES = (() => {
  // each float16 as a float32: 65,536 of them, looked up instead of computed
  const values = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    values[bits] =
      sign *
      (exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? NaN
            : Infinity
          : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  return values;
})();

/** Bytes from base64, piece by piece: a text of 40 MB is never held twice as numbers. */
function fromBase64(text) {
  const clean = text.trim();
  const padding = clean.endsWith("==") ? 2 : clean.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((clean.length / 4) * 3 - padding);
  const step = 4 * 65536;
  for (let start = 0, to = 0; start < clean.length; start += step) {
    const piece = atob(clean.slice(start, start + step));
    for (let index = 0; index < piece.length; index++) bytes[to++] = piece.charCodeAt(index);
  }
  return bytes;
}

/** An array of weights, float32, from how it is stored. */
function decodeWeights(bytes, { dtype, shape, offset, scales }) {
  const count = shape.reduce((product, length) => product * length, 1);
  if (dtype === "float16") {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset + offset, count);
    return Float32Array.from(halves, (bits) => DECODED_HALVES[bits]);
  }
  if (dtype === "int8") {
    // one scale for each output channel, which is the last axis, or the one before a last of 1
    const small = new Int8Array(bytes.buffer, bytes.byteOffset + offset, count);
    return Float32Array.from(small, (value, index) => value * scales[index % scales.length]);
  }
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + 4 * count));
}

class Network {
  /**
   * @param {object} tf TensorFlow.js, ready.
   * @param {{layers: object[], weights: object[], pooled: ?number}} description what exporting/page.py wrote.
   * @param {Uint8Array} bytes of all weights.
   */
  constructor(tf, description, bytes) {
    this.tf = tf;
    this.layers = description.layers;
    this.size = description.image_size;
    this.weights = description.weights.map((stored) =>
      tf.tensor(decodeWeights(bytes, stored), stored.shape, "float32"),
    );
    this.pooled = description.pooled;
    // the last layer that needs each output: after it the memory is free
    this.lastUse = this.layers.map((_, index) => index);
    this.layers.forEach((layer, index) => {
      for (const from of layer.inputs) this.lastUse[from] = index;
    });
    if (this.pooled !== null) this.lastUse[this.pooled] = this.layers.length;
  }

  /**
   * @param {Uint8Array} pixels `(height, width, 3)`, RGB, 0 to 255.
   * @param {() => Promise<void>} breathe called now and then, so that the page stays alive.
   * @returns {Promise<{probabilities: Float32Array, features: ?Float32Array}>} one for each class,
   *   and what is pooled, where that is asked for.
   */
  async run(pixels, breathe = async () => {}) {
    const { tf } = this;
    const outputs = [];
    let started = performance.now();
    for (const [index, layer] of this.layers.entries()) {
      const inputs = layer.inputs.map((from) => outputs[from]);
      outputs[index] =
        layer.op === "input"
          ? tf.tensor4d(Float32Array.from(pixels), [1, ...this.size, 3])
          : tf.tidy(() => this.#apply(layer, inputs));
      layer.inputs.forEach((from) => {
        if (this.lastUse[from] === index && outputs[from]) {
          outputs[from].dispose();
          outputs[from] = null;
        }
      });
      if (performance.now() - started > 50) {
        await breathe();
        started = performance.now();
      }
    }
    const taken = async (output) => {
      const values = await output.data();
      output.dispose();
      return values;
    };
    return {
      probabilities: await taken(outputs[outputs.length - 1]),
      features: this.pooled === null ? null : await taken(outputs[this.pooled]),
    };
  }

  #apply(layer, inputs) {
    const { tf } = this;
    const [x] = inputs;
    const [first, second] = (layer.weights ?? []).map((index) => this.weights[index]);
    const explicit = (pads) => [[0, 0], ...pads, [0, 0]];
    switch (layer.op) {
      case "scale":
        return tf.add(tf.mul(x, tf.tensor(layer.scale)), tf.tensor(layer.offset));
      case "convolution":
        return tf.fused.conv2d({
          x,
          filter: first,
          strides: layer.strides,
          pad: explicit(layer.pads),
          bias: second,
          activation: layer.activation,
        });
      case "depthwise":
        return tf.fused.depthwiseConv2d({
          x,
          filter: first,
          strides: layer.strides,
          pad: explicit(layer.pads),
          bias: second,
          activation: layer.activation,
        });
      case "pad":
        return tf.pad(x, explicit(layer.pads));
      case "add":
        return tf.addN(inputs);
      case "concatenate":
        return tf.concat(inputs, -1);
      case "max_pool":
        return tf.maxPool(x, layer.size, layer.strides, explicit(layer.pads));
      case "average_pool":
        return tf.avgPool(x, layer.size, layer.strides, explicit(layer.pads));
      case "global_average":
        return tf.mean(x, [1, 2]);
      case "global_max":
        return tf.max(x, [1, 2]);
      case "flatten":
        return tf.reshape(x, [1, -1]);
      case "dense":
        return this.#activate(tf.add(tf.matMul(x, first), second), layer.activation);
      case "activation":
        return this.#activate(x, layer.activation);
      default:
        throw new Error(`this page does not know the layer ${layer.op}`);
    }
  }

  #activate(x, name) {
    const { tf } = this;
    switch (name) {
      case "relu":
        return tf.relu(x);
      case "relu6":
        return tf.minimum(tf.relu(x), 6);
      case "softmax":
        return tf.softmax(x);
      case "sigmoid":
        return tf.sigmoid(x);
      default:
        return x;
    }
  }
}
