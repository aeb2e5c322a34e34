// A plain float64 GPT-2 with one input per destination slot: forward with any edit of any slot, and the gradient at every slot. For checking edge attribution.

/** Sizes; T positions, D width, H heads, K head width, M MLP width, V vocabulary. */
export interface EapSizes {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly positions: number;
}

/** One layer; matrices are [in, out] row-major, those of heads with a leading head axis. */
export interface EapLayer {
  readonly gamma1: Float64Array;
  readonly beta1: Float64Array;
  /** [H, D, K] and [H, K]. */
  readonly q: { readonly weight: Float64Array; readonly bias: Float64Array };
  readonly k: { readonly weight: Float64Array; readonly bias: Float64Array };
  readonly v: { readonly weight: Float64Array; readonly bias: Float64Array };
  /** [H, K, D] and [D]. */
  readonly o: { readonly weight: Float64Array; readonly bias: Float64Array };
  readonly gamma2: Float64Array;
  readonly beta2: Float64Array;
  readonly up: { readonly weight: Float64Array; readonly bias: Float64Array };
  readonly down: { readonly weight: Float64Array; readonly bias: Float64Array };
}

export interface EapModel {
  readonly sizes: EapSizes;
  readonly epsilon: number;
  readonly block: 'sequential' | 'parallel';
  readonly norm: 'layer' | 'rms';
  readonly embed: Float64Array;
  readonly positions: Float64Array;
  readonly layers: readonly EapLayer[];
  readonly gammaFinal: Float64Array;
  readonly betaFinal: Float64Array;
  /** [D, V]. */
  readonly unembed: Float64Array;
}

/** What one run of one example leaves behind; every array [T, D] unless said. */
export interface EapRun {
  readonly T: number;
  /** By forward index: the token embedding, then per layer the heads' results (no b_O) and the MLP's output. */
  readonly outputs: readonly Float64Array[];
  /** By backward index: what each slot read, after edits, before its norm. */
  readonly slots: readonly Float64Array[];
  /** [V] at the last position. */
  readonly logits: Float64Array;
}

/** Replaces what slot `v` reads; `outputs` are those of this run so far. */
export type SlotEdit = (v: number, x: Float64Array, outputs: readonly Float64Array[]) => Float64Array;

export const forwardCount = ({ layers, heads }: EapSizes): number => 1 + layers * (heads + 1);
export const backwardCount = ({ layers, heads }: EapSizes): number => layers * (3 * heads + 1) + 1;
/** Number of leading sources that feed slot v. */
export function sourcesBefore({ sizes, block }: EapModel, v: number): number {
  if (v === backwardCount(sizes) - 1) return forwardCount(sizes);
  const layer = Math.floor(v / (3 * sizes.heads + 1));
  const isMlp = v % (3 * sizes.heads + 1) === 3 * sizes.heads;
  return 1 + layer * (sizes.heads + 1) + (isMlp && block === 'sequential' ? sizes.heads : 0);
}

export function tokenEmbeddings({ sizes: { width }, embed }: EapModel, tokens: readonly number[]): Float64Array {
  const x = new Float64Array(tokens.length * width);
  for (const [t, id] of tokens.entries()) x.set(embed.subarray(id * width, (id + 1) * width), t * width);
  return x;
}

/** Replaces what a sublayer writes into the stream, [T, D], biases included. */
export type WriteEdit = (site: 'attn-out' | 'mlp-out', layer: number, x: Float64Array) => Float64Array;

/** Runs `embedding` [T, D] (token embeddings only) through the model. */
export function eapForward(
  model: EapModel,
  embedding: Float64Array,
  edit: SlotEdit = (_, x) => x,
  write: WriteEdit = (_site, _layer, x) => x,
): EapRun {
  const { heads: H, width: D, headWidth: K, mlpWidth: M, vocabulary: V } = model.sizes;
  const T = embedding.length / D;
  const outputs: Float64Array[] = [embedding];
  const slots: Float64Array[] = [];
  const slot = (v: number, x: Float64Array): Float64Array => (slots[v] = edit(v, x, outputs));
  let x = sum(embedding, model.positions.subarray(0, T * D));
  for (const [l, layer] of model.layers.entries()) {
    const base = l * (3 * H + 1);
    const before = x;
    const results: Float64Array[] = [];
    for (let h = 0; h < H; h++) {
      const project = (part: 0 | 1 | 2, { weight, bias }: EapLayer['q']): Float64Array => {
        const y = norm(model, slot(base + part * H + h, before), layer.gamma1, layer.beta1);
        return affine(y, weight.subarray(h * D * K, (h + 1) * D * K), bias.subarray(h * K, (h + 1) * K), D, K);
      };
      const q = project(0, layer.q);
      const k = project(1, layer.k);
      const v = project(2, layer.v);
      const z = mix(pattern(q, k, T, K), v, T, K);
      results.push(affine(z, layer.o.weight.subarray(h * K * D, (h + 1) * K * D), new Float64Array(D), K, D));
    }
    outputs.push(...results);
    const attended = results.reduce(sum, addRow(new Float64Array(T * D), layer.o.bias));
    const middle = sum(before, write('attn-out', l, attended));
    const read = slot(base + 3 * H, model.block === 'sequential' ? middle : before);
    const hidden = affine(norm(model, read, layer.gamma2, layer.beta2), layer.up.weight, layer.up.bias, D, M).map(gelu);
    const written = affine(hidden, layer.down.weight, layer.down.bias, M, D);
    outputs.push(written);
    x = sum(middle, write('mlp-out', l, written));
  }
  const last = slot(backwardCount(model.sizes) - 1, x);
  const y = norm(model, last, model.gammaFinal, model.betaFinal).subarray((T - 1) * D);
  return { T, outputs, slots, logits: affine(y, model.unembed, new Float64Array(V), D, V) };
}

/** ∂L/∂(input of slot v) for every v, each [T, D], of an unedited run, from ∂L/∂logits [V] at the last position. */
export function eapSlotGradients(model: EapModel, run: EapRun, dLogits: Float64Array): Float64Array[] {
  const { heads: H, width: D, headWidth: K, mlpWidth: M, vocabulary: V } = model.sizes;
  const { T } = run;
  const gradients: Float64Array[] = [];
  const input = (v: number): Float64Array => run.slots[v] as Float64Array;
  const logitsSlot = backwardCount(model.sizes) - 1;
  const dLast = new Float64Array(T * D);
  dLast.set(transposed(dLogits, model.unembed, D, V), (T - 1) * D);
  let dx = normBackward(model, input(logitsSlot), model.gammaFinal, dLast);
  gradients[logitsSlot] = dx;
  for (let l = model.sizes.layers - 1; l >= 0; l--) {
    const layer = model.layers[l] as EapLayer;
    const base = l * (3 * H + 1);
    const readByMlp = input(base + 3 * H);
    const pre = affine(norm(model, readByMlp, layer.gamma2, layer.beta2), layer.up.weight, layer.up.bias, D, M);
    const dHidden = transposed(dx, layer.down.weight, M, D);
    const dPre = dHidden.map((d, i) => d * geluSlope(pre[i] ?? 0));
    const dMlp = normBackward(model, readByMlp, layer.gamma2, transposed(dPre, layer.up.weight, D, M));
    gradients[base + 3 * H] = dMlp;
    const dMiddle = model.block === 'sequential' ? sum(dx, dMlp) : dx;
    dx = sum(dx, dMlp);
    for (let h = 0; h < H; h++) {
      const inputs = ([0, 1, 2] as const).map((part) => input(base + part * H + h));
      const linears = [layer.q, layer.k, layer.v];
      const [q, k, v] = linears.map(({ weight, bias }, part) =>
        affine(
          norm(model, inputs[part] as Float64Array, layer.gamma1, layer.beta1),
          weight.subarray(h * D * K, (h + 1) * D * K),
          bias.subarray(h * K, (h + 1) * K),
          D,
          K,
        ),
      ) as [Float64Array, Float64Array, Float64Array];
      const dz = transposed(dMiddle, layer.o.weight.subarray(h * K * D, (h + 1) * K * D), K, D);
      for (const [part, d] of attentionBackward(q, k, v, dz, T, K).entries()) {
        const { weight } = linears[part] as EapLayer['q'];
        const dNormed = transposed(d, weight.subarray(h * D * K, (h + 1) * D * K), D, K);
        const dSlot = normBackward(model, inputs[part] as Float64Array, layer.gamma1, dNormed);
        gradients[base + part * H + h] = dSlot;
        dx = sum(dx, dSlot);
      }
    }
  }
  return gradients;
}

export function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] ?? 0));
}

function addRow(x: Float64Array, row: Float64Array): Float64Array {
  return x.map((value, i) => value + (row[i % row.length] ?? 0));
}

/** y [N, b] = x [N, a] W [a, b] + bias. */
function affine(x: Float64Array, weight: Float64Array, bias: Float64Array, a: number, b: number): Float64Array {
  const rows = x.length / a;
  const y = new Float64Array(rows * b);
  for (let n = 0; n < rows; n++) {
    y.set(bias, n * b);
    for (let i = 0; i < a; i++) {
      const xi = x[n * a + i] as number;
      for (let j = 0; j < b; j++) y[n * b + j] = (y[n * b + j] as number) + xi * (weight[i * b + j] as number);
    }
  }
  return y;
}

/** dx [N, a] = dy [N, b] W [a, b]ᵀ. */
function transposed(dy: Float64Array, weight: Float64Array, a: number, b: number): Float64Array {
  const rows = dy.length / b;
  const dx = new Float64Array(rows * a);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < a; i++) {
      let total = 0;
      for (let j = 0; j < b; j++) total += (dy[n * b + j] as number) * (weight[i * b + j] as number);
      dx[n * a + i] = total;
    }
  return dx;
}

/** Mean to subtract (0 for RMS) and 1 / √(variance + ε) of one row. */
function moments({ norm, epsilon }: EapModel, row: Float64Array): { mean: number; rate: number } {
  const mean = norm === 'layer' ? row.reduce((total, x) => total + x, 0) / row.length : 0;
  const variance = row.reduce((total, x) => total + (x - mean) ** 2, 0) / row.length;
  return { mean, rate: 1 / Math.sqrt(variance + epsilon) };
}

function norm(model: EapModel, x: Float64Array, gamma: Float64Array, beta: Float64Array): Float64Array {
  const D = gamma.length;
  const y = new Float64Array(x.length);
  for (let n = 0; n < x.length; n += D) {
    const { mean, rate } = moments(model, x.subarray(n, n + D));
    for (let i = 0; i < D; i++)
      y[n + i] = ((x[n + i] as number) - mean) * rate * (gamma[i] as number) + (beta[i] as number);
  }
  return y;
}

/** dx = rate (g − mean(g) − x̂ mean(g x̂)), g = γ dy; without the mean(g) term for RMS. */
function normBackward(model: EapModel, x: Float64Array, gamma: Float64Array, dy: Float64Array): Float64Array {
  const D = gamma.length;
  const dx = new Float64Array(x.length);
  for (let n = 0; n < x.length; n += D) {
    const { mean, rate } = moments(model, x.subarray(n, n + D));
    let meanG = 0;
    let meanGX = 0;
    for (let i = 0; i < D; i++) {
      const g = ((gamma[i] as number) * (dy[n + i] as number)) / D;
      meanG += model.norm === 'layer' ? g : 0;
      meanGX += g * ((x[n + i] as number) - mean) * rate;
    }
    for (let i = 0; i < D; i++) {
      const g = (gamma[i] as number) * (dy[n + i] as number);
      dx[n + i] = rate * (g - meanG - ((x[n + i] as number) - mean) * rate * meanGX);
    }
  }
  return dx;
}

const ROOT = Math.sqrt(2 / Math.PI);
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(ROOT * (x + 0.044715 * x ** 3)));
}
function geluSlope(x: number): number {
  const t = Math.tanh(ROOT * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT * (1 + 3 * 0.044715 * x * x);
}

/** Causal softmax(q kᵀ / √K), [T, T]. */
function pattern(q: Float64Array, k: Float64Array, T: number, K: number): Float64Array {
  const p = new Float64Array(T * T);
  for (let t = 0; t < T; t++) {
    let total = 0;
    const scores: number[] = [];
    for (let s = 0; s <= t; s++) {
      let dot = 0;
      for (let i = 0; i < K; i++) dot += (q[t * K + i] as number) * (k[s * K + i] as number);
      scores.push(dot / Math.sqrt(K));
    }
    const top = Math.max(...scores);
    for (let s = 0; s <= t; s++) total += p[t * T + s] = Math.exp((scores[s] as number) - top);
    for (let s = 0; s <= t; s++) p[t * T + s] = (p[t * T + s] as number) / total;
  }
  return p;
}

function mix(p: Float64Array, v: Float64Array, T: number, K: number): Float64Array {
  const z = new Float64Array(T * K);
  for (let t = 0; t < T; t++)
    for (let s = 0; s <= t; s++)
      for (let i = 0; i < K; i++)
        z[t * K + i] = (z[t * K + i] as number) + (p[t * T + s] as number) * (v[s * K + i] as number);
  return z;
}

/** Gradients of q, k, v, each [T, K], from that of z. */
function attentionBackward(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  dz: Float64Array,
  T: number,
  K: number,
): Float64Array[] {
  const p = pattern(q, k, T, K);
  const dq = new Float64Array(T * K);
  const dk = new Float64Array(T * K);
  const dv = new Float64Array(T * K);
  for (let t = 0; t < T; t++) {
    const dp = new Float64Array(t + 1);
    let weighted = 0;
    for (let s = 0; s <= t; s++) {
      let dot = 0;
      for (let i = 0; i < K; i++) {
        dot += (dz[t * K + i] as number) * (v[s * K + i] as number);
        dv[s * K + i] = (dv[s * K + i] as number) + (p[t * T + s] as number) * (dz[t * K + i] as number);
      }
      dp[s] = dot;
      weighted += dot * (p[t * T + s] as number);
    }
    for (let s = 0; s <= t; s++) {
      const dScore = ((p[t * T + s] as number) * ((dp[s] as number) - weighted)) / Math.sqrt(K);
      for (let i = 0; i < K; i++) {
        dq[t * K + i] = (dq[t * K + i] as number) + dScore * (k[s * K + i] as number);
        dk[s * K + i] = (dk[s * K + i] as number) + dScore * (q[t * K + i] as number);
      }
    }
  }
  return [dq, dk, dv];
}
