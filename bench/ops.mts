// GPU time per kernel of the model's ops, forward and backward, at the shapes of a pocket training step (or GPT-2's with --gpt2).
// npx tsx --conditions limn-source bench/ops.mts [--gpt2]
import { openNodeGpu } from '@limn/gpu/node';
import {
  asRowBlocks,
  causalAttention,
  crossEntropyUnembed,
  embed,
  gelu,
  gradients,
  headProject,
  layernorm,
  matmul,
  persistent,
  type Tensor,
} from '@limn/tensor';

const gpt2 = process.argv.includes('--gpt2');
const [B, T, H, K, V] = gpt2 ? [1, 64, 12, 64, 8192] : [64, 48, 4, 16, 400];
const C = H * K;
const N = B * T;
const gpu = await openNodeGpu({ workBudgetFlops: 1e12 });
console.log(`${gpu.capabilities.adapter.description} (${gpu.capabilities.source}); B ${B} T ${T} H ${H} K ${K} V ${V}`);

const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 101) / 101 - 0.5);
const make = (...shape: number[]): Tensor => persistent(gpu, shape, numbers(shape.reduce((a, b) => a * b, 1)));
const ids = persistent(
  gpu,
  [B, T],
  Uint32Array.from({ length: N }, (_, i) => (i * 31) % V),
);
const x = make(B, T, C);
const table = make(V, C);
const [gamma, beta] = [make(C), make(C)];
const [wAttention, bAttention] = [make(C, 3 * C), make(3 * C)];
const [wFc, bFc] = [make(C, 4 * C), make(4 * C)];
const wProj = make(4 * C, C);
const heads = [make(B, T, H, K), make(B, T, H, K), make(B, T, H, K)] as const;
const wide = make(B, T, 4 * C);

const cases: Record<string, (step: ReturnType<typeof gpu.step>) => { y: Tensor; targets: Tensor[] }> = {
  layernorm: (step) => ({ y: layernorm(step, x, gamma, beta), targets: [x, gamma, beta] }),
  'head projection (q)': (step) => ({
    y: headProject(step, x, wAttention, bAttention, {
      headWidth: K,
      heads: Array.from({ length: H }, (_, h) => h),
      shared: true,
    }),
    targets: [x, wAttention, bAttention],
  }),
  attention: (step) => ({ y: causalAttention(step, ...heads), targets: [...heads] }),
  'mlp in (bias, gelu)': (step) => ({
    y: matmul(step, x, wFc, { bias: bFc, gelu: 'tanh' }),
    targets: [x, wFc, bFc],
  }),
  'mlp out (residual)': (step) => ({
    y: matmul(step, wide, wProj, { bias: beta, residual: x }),
    targets: [wide, wProj, beta, x],
  }),
  gelu: (step) => ({ y: gelu(step, wide), targets: [wide] }),
  embed: (step) => ({ y: embed(step, ids, asRowBlocks(table)), targets: [table] }),
  'cross-entropy unembed': (step) => ({
    y: crossEntropyUnembed(step, x, asRowBlocks(table), ids),
    targets: [x, table],
  }),
};

for (const [name, record] of Object.entries(cases)) {
  const best = new Map<string, number>();
  let cpu = Infinity;
  for (let round = 0; round < 4; round++) {
    gpu.resetCounters();
    const before = process.cpuUsage();
    const step = gpu.step({ timing: true });
    const { y, targets } = record(step);
    const grads = gradients(step, y, 'ones', targets);
    await Promise.all(grads.map((grad) => step.read(grad.storage)));
    const used = process.cpuUsage(before);
    if (round > 0) cpu = Math.min(cpu, (used.user + used.system) / 1e3);
    for (const { label, milliseconds } of await gpu.timings())
      best.set(label, Math.min(best.get(label) ?? Infinity, milliseconds));
    step.dispose();
  }
  console.log(`${name}: CPU ${cpu.toFixed(1)} ms`);
  for (const [label, time] of best) console.log(`    ${label.padEnd(34)} ${time.toFixed(2).padStart(8)} ms`);
}
gpu.dispose();
process.exit(0);
