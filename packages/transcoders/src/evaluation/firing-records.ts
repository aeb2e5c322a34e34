// Which features fired where and how strongly: entries (token, value) by feature, gathered from dense activations of one batch after another.

/** Entries of one feature, in the order in which they were added. */
export interface FeatureEntries {
  readonly tokens: Uint32Array;
  /** > 0 */
  readonly values: Float32Array;
}

/** A growing list of (token, feature, value), sorted into features at the end. */
export class FiringRecords {
  #tokens = new Uint32Array(1024);
  #features = new Uint32Array(1024);
  #values = new Float32Array(1024);
  #count = 0;

  constructor(
    /** F */
    readonly features: number,
  ) {}

  /** Entries so far. */
  get count(): number {
    return this.#count;
  }

  /** Takes a [N, F], row-major, of N tokens by number: what is above 0. */
  add(a: Float32Array, tokens: ArrayLike<number>): void {
    for (let i = 0; i < a.length; i++)
      this.#push(tokens[Math.floor(i / this.features)] as number, i % this.features, a[i] as number);
  }

  /** Takes entries of N tokens by number, each in its row and column; those of column F are none. */
  addEntries(rows: Uint32Array, columns: Uint32Array, values: Float32Array, tokens: ArrayLike<number>): void {
    columns.forEach((feature, e) => {
      if (feature < this.features) this.#push(tokens[rows[e] as number] as number, feature, values[e] as number);
    });
  }

  /** By feature. */
  byFeature(): readonly FeatureEntries[] {
    const starts = new Uint32Array(this.features + 1);
    const features = this.#features.subarray(0, this.#count);
    for (const f of features) starts[f + 1] = (starts[f + 1] as number) + 1;
    for (let f = 0; f < this.features; f++) starts[f + 1] = (starts[f + 1] as number) + (starts[f] as number);
    const tokens = new Uint32Array(this.#count);
    const values = new Float32Array(this.#count);
    const next = starts.slice();
    features.forEach((f, i) => {
      const at = next[f] as number;
      next[f] = at + 1;
      tokens[at] = this.#tokens[i] as number;
      values[at] = this.#values[i] as number;
    });
    return Array.from({ length: this.features }, (_, f) => ({
      tokens: tokens.subarray(starts[f], starts[f + 1]),
      values: values.subarray(starts[f], starts[f + 1]),
    }));
  }

  #push(token: number, feature: number, value: number): void {
    if (value <= 0) return;
    if (this.#count === this.#tokens.length) this.#grow();
    this.#tokens[this.#count] = token;
    this.#features[this.#count] = feature;
    this.#values[this.#count++] = value;
  }

  #grow(): void {
    const larger = <T extends Uint32Array | Float32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const length = 2 * this.#count;
    this.#tokens = larger(this.#tokens, new Uint32Array(length));
    this.#features = larger(this.#features, new Uint32Array(length));
    this.#values = larger(this.#values, new Float32Array(length));
  }
}
