// Jobs on rows of numbers (LayerNorm, softmax, gelu, their backward passes, cross-entropy) beside a kernel that copies as many. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { crossEntropy, gelu, gradients, layernorm, persistent, softmax, sumAll, type Tensor } from '@limn/tensor';
import { copyKernel } from './ceilings.mjs';
import type { Contender, RowSpec } from './contender.mjs';
import type { Beside, Job } from './job.mjs';
import { limnContender } from './limn-contender.mjs';
import { compare, geluTanh, numbers, places, type Expected } from './numbers.mjs';
import { rawKernel } from './raw-kernel.mjs';

type Kind = RowSpec['kind'];

function specOf(kind: Kind, rows: number, width: number): RowSpec {
  return {
    kind,
    rows,
    width,
    x: numbers(rows * width, 5, 3),
    gamma: numbers(width, 6),
    beta: numbers(width, 7),
  };
}

async function open(gpu: Gpu, { kind, rows, width, ...host }: RowSpec): Promise<Contender> {
  const x = persistent(gpu, [rows, width], host.x);
  const gamma = persistent(gpu, [width], host.gamma);
  const beta = persistent(gpu, [width], host.beta);
  const free = (): void => [x, gamma, beta].forEach((tensor) => tensor.dispose());
  return limnContender(
    gpu,
    (step) => {
      if (kind === 'layernorm') return layernorm(step, x, gamma, beta);
      return kind === 'softmax' ? softmax(step, x) : gelu(step, x);
    },
    free,
  );
}

/** One row in float64. */
function rowOf({ kind, x, gamma, beta, width }: RowSpec, row: number): number[] {
  const values = [...x.subarray(row * width, (row + 1) * width)];
  if (kind === 'gelu') return values.map(geluTanh);
  if (kind === 'softmax') {
    const top = Math.max(...values);
    const powers = values.map((v) => Math.exp(v - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / sum);
  }
  const mean = values.reduce((a, b) => a + b, 0) / width;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / width;
  return values.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * gamma[i]! + beta[i]!);
}

/** Three rows; sums of `width` terms, and an exp or tanh that software adapters compute to a few 10⁻⁶. */
function expected(spec: RowSpec): Expected[] {
  const { rows, width, kind } = spec;
  const size = kind === 'softmax' ? 8 / width : 3;
  return places(3, rows).flatMap((row) =>
    rowOf(spec, row).map((value, i) => ({ at: row * width + i, value, bound: 1e-5 * size })),
  );
}

/** As many bytes as a job reads and writes, copied. */
const copyBeside = (bytes: number): Beside => ({
  name: 'copy kernel of as many bytes',
  open: (gpu) => rawKernel(gpu.device, copyKernel(bytes)),
});

const titles: Record<Kind, string> = { layernorm: 'layernorm', softmax: 'softmax', gelu: 'gelu (tanh form)' };

function forward(kind: Kind, rows: number, width: number, more: Partial<Job> = {}): Job {
  const bytes = 4 * rows * width;
  return {
    name: `${titles[kind]} ${rows} × ${width}`,
    group: 'kernels',
    work: { bytes: 2 * bytes },
    ceiling: 'copy-kernel',
    spec: () => specOf(kind, rows, width),
    beside: [copyBeside(bytes)],
    open: (gpu) => open(gpu, specOf(kind, rows, width)),
    check: (result) => compare(result, rows * width, expected(specOf(kind, rows, width))),
    ...more,
  };
}

/** The gradient at x of Σ weights · layernorm(x), forward pass included. */
function layernormBackward(rows: number, width: number): Job {
  const spec = specOf('layernorm', rows, width);
  return {
    name: `layernorm ${rows} × ${width}, forward and backward`,
    group: 'kernels',
    // x and dy are read, y and dx written.
    work: { bytes: 4 * 4 * rows * width },
    ceiling: 'copy-kernel',
    beside: [{ name: 'forward alone', open: (gpu) => open(gpu, spec) }],
    async open(gpu) {
      const x = persistent(gpu, [rows, width], spec.x);
      const gamma = persistent(gpu, [width], spec.gamma);
      const beta = persistent(gpu, [width], spec.beta);
      const dy = persistent(gpu, [rows, width], numbers(rows * width, 8));
      const free = (): void => [x, gamma, beta, dy].forEach((tensor) => tensor.dispose());
      return limnContender(gpu, (step) => gradients(step, layernorm(step, x, gamma, beta), dy, [x])[0] as Tensor, free);
    },
    check(result) {
      const dy = numbers(rows * width, 8);
      const wanted = places(3, rows).flatMap((row) => {
        const values = [...spec.x.subarray(row * width, (row + 1) * width)];
        const mean = values.reduce((a, b) => a + b, 0) / width;
        const r = 1 / Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / width + 1e-5);
        const hat = values.map((v) => (v - mean) * r);
        const g = hat.map((_, i) => dy[row * width + i]! * spec.gamma[i]!);
        const meanG = g.reduce((a, b) => a + b, 0) / width;
        const meanGx = g.reduce((a, b, i) => a + b * hat[i]!, 0) / width;
        return g.map((v, i) => ({ at: row * width + i, value: r * (v - meanG - hat[i]! * meanGx), bound: 1e-5 }));
      });
      return compare(result, rows * width, wanted);
    },
  };
}

/** −log softmax(x)[target] of every row and its gradient at x. */
function crossEntropyJob(rows: number, width: number): Job {
  const logits = numbers(rows * width, 9, 3);
  const targets = Uint32Array.from({ length: rows }, (_, i) => (i * 7919) % width);
  return {
    name: `cross-entropy ${rows} × ${width}, forward and backward`,
    group: 'kernels',
    work: { bytes: 2 * 4 * rows * width },
    ceiling: 'copy-kernel',
    beside: [copyBeside(4 * rows * width)],
    async open(gpu) {
      const x = persistent(gpu, [rows, width], logits);
      const ids = persistent(gpu, [rows], targets);
      const free = (): void => [x, ids].forEach((tensor) => tensor.dispose());
      return limnContender(
        gpu,
        (step) => gradients(step, sumAll(step, crossEntropy(step, x, ids)), 'ones', [x])[0] as Tensor,
        free,
      );
    },
    check(result) {
      const wanted = places(3, rows).flatMap((row) => {
        const values = logits.subarray(row * width, (row + 1) * width);
        let [top, sum] = [-Infinity, 0];
        for (const v of values) top = Math.max(top, v);
        for (const v of values) sum += Math.exp(v - top);
        return places(97, width).map((i) => ({
          at: row * width + i,
          value: Math.exp(values[i]! - top) / sum - (targets[row] === i ? 1 : 0),
          bound: 1e-6,
        }));
      });
      return compare(result, rows * width, wanted);
    },
  };
}

/** All of them. */
export function rowJobs(): Job[] {
  return [
    forward('layernorm', 512, 768),
    forward('softmax', 512, 768),
    forward('gelu', 512, 768),
    layernormBackward(512, 768),
    crossEntropyJob(64, 8192),
    forward('layernorm', 16384, 4096, { devicesOnly: true }),
    forward('softmax', 16384, 4096, { devicesOnly: true }),
  ];
}
