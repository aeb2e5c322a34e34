// Causal attention as a job, forward and backward, as the adapter's rule has it and in its other form. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { causalAttention, gradients, persistent, type AttentionKernel, type Tensor } from '@limn/tensor';
import type { Contender, Work } from './contender.mjs';
import type { Job } from './job.mjs';
import { limnContender } from './limn-contender.mjs';
import { compare, numbers, places } from './numbers.mjs';

/** B rows of T tokens, H heads of width K. */
type Sizes = readonly [B: number, T: number, H: number, K: number];

const count = ([B, T, H, K]: Sizes): number => B * T * H * K;

/** Two products over the pairs of which causality leaves half. */
const workOf = (sizes: Sizes): Work => ({ flops: 2 * count(sizes) * sizes[1], bytes: 4 * 4 * count(sizes) });

async function open(
  gpu: Gpu,
  sizes: Sizes,
  { backward = false, kernel, name }: { backward?: boolean; kernel?: AttentionKernel; name?: string } = {},
): Promise<Contender> {
  const [q, k, v, dz] = [0, 1, 2, 3].map((i) => persistent(gpu, sizes, numbers(count(sizes), 10 + i))) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const free = (): void => [q, k, v, dz].forEach((tensor) => tensor.dispose());
  return limnContender(
    gpu,
    (step) => {
      const z = causalAttention(step, q, k, v, kernel ? { kernel } : {});
      return backward ? (gradients(step, z, dz, [q, k, v])[0] as Tensor) : z;
    },
    free,
    name,
  );
}

/** softmax(q·kᵀ / √K)·v of one query in float64, and its gradient at q along dz. */
function queryOf(sizes: Sizes, b: number, t: number, h: number): { z: number[]; dq: number[] } {
  const [, T, H, K] = sizes;
  const [q, k, v, dz] = [0, 1, 2, 3].map((i) => numbers(count(sizes), 10 + i)) as Float32Array[];
  const at = (j: number): number => ((b * T + j) * H + h) * K;
  const dot = (x: Float32Array, i: number, y: Float32Array, j: number): number => {
    let sum = 0;
    for (let d = 0; d < K; d++) sum += x[at(i) + d]! * y[at(j) + d]!;
    return sum;
  };
  const keys = Array.from({ length: t + 1 }, (_, j) => j);
  const scores = keys.map((j) => dot(q!, t, k!, j) / Math.sqrt(K));
  const top = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - top));
  const sum = powers.reduce((x, y) => x + y, 0);
  const p = powers.map((e) => e / sum);
  const dp = keys.map((j) => dot(dz!, t, v!, j));
  const mean = p.reduce((x, y, j) => x + y * dp[j]!, 0);
  const along = (values: Float32Array, weights: readonly number[]): number[] =>
    Array.from({ length: K }, (_, d) => weights.reduce((x, w, j) => x + w * values[at(j) + d]!, 0));
  return {
    z: along(v!, p),
    dq: along(
      k!,
      p.map((w, j) => (w * (dp[j]! - mean)) / Math.sqrt(K)),
    ),
  };
}

function job(sizes: Sizes, backward: boolean, more: Partial<Job> = {}): Job {
  const [B, T, H, K] = sizes;
  const { flops = 0, bytes = 0 } = workOf(sizes);
  const other = (kernel: AttentionKernel) => ({
    name: `in the form '${kernel}'`,
    open: (gpu: Gpu) => open(gpu, sizes, { backward, kernel, name: kernel }),
  });
  return {
    name: `attention ${B} × ${T} × ${H} × ${K}${backward ? ', forward and backward' : ''}`,
    group: 'kernels',
    // Backward: the pattern again, and four products.
    work: backward ? { flops: 3.5 * flops, bytes: 2.5 * bytes } : { flops, bytes },
    ceiling: 'fma',
    beside: [other('fused'), other('parts')],
    open: (gpu) => open(gpu, sizes, { backward }),
    check(result) {
      const wanted = places(4, B * T * H).flatMap((place) => {
        const [b, t, h] = [Math.floor(place / (T * H)), Math.floor(place / H) % T, place % H];
        const { z, dq } = queryOf(sizes, b, t, h);
        return (backward ? dq : z).map((value, d) => ({ at: place * K + d, value, bound: 2e-5 }));
      });
      return compare(result, count(sizes), wanted);
    },
    ...more,
  };
}

/** At GPT-2 small's heads, over short and long prompts, and at those of an update of pocket. */
export function attentionJobs(): Job[] {
  return [
    job([1, 64, 12, 64], false),
    job([1, 64, 12, 64], true),
    job([8, 17, 12, 64], true),
    job([64, 48, 4, 16], false),
    job([64, 48, 4, 16], true),
    // As many queries as an update of pocket has: rows of scores are no whole vec4s.
    job([64, 47, 4, 16], true),
    job([4, 1024, 12, 64], false, { devicesOnly: true }),
    job([4, 1024, 12, 64], true, { devicesOnly: true }),
  ];
}
