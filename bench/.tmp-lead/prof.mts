import { openNodeGpu } from '@limn/gpu/node';
import { trainGpt2, randomGpt2, parseConfig } from '@limn/gpt2';
import * as g from '@limn/gpt2';
console.log(Object.keys(g).join(' '));
const gpu = await openNodeGpu({workBudgetFlops:1e12});
console.log(gpu.capabilities.adapter.description, gpu.capabilities.flopsPerSecond / 1e9);
const cfg = g.parseConfig
  ? (g as any).parseConfig(
      JSON.stringify({
        model_type: 'gpt2',
        activation_function: 'gelu_new',
        n_layer: 4,
        n_head: 4,
        n_embd: 64,
        n_inner: 256,
        n_positions: 64,
        n_ctx: 64,
        vocab_size: 440,
        layer_norm_epsilon: 1e-5,
        tie_word_embeddings: true,
      }),
    )
  : undefined;
const model = await (g as any).randomGpt2(gpu, cfg, 0);
const B = 32,
  T = 64;
let s0 = 0;
const c0 = process.cpuUsage();
let t0 = performance.now();
const before = () => ({ ...gpu.counters });
await trainGpt2(model, {
  batch: (s: number) =>
    Array.from({ length: B }, (_, b) =>
      Uint32Array.from({ length: T + 1 }, (_, t) => (s * 31 + b * 7 + t * t * 13) % 440),
    ),
  steps: 30,
  every: 10,
  recipe: { rate: 1e-3, warmup: 5, clipNorm: 1, weightDecay: 0.05 },
  onProgress: (p: any) => {
    const c = process.cpuUsage(c0);
    console.log(
      p.step,
      p.loss.toFixed(3),
      'tok/s',
      p.tokensPerSecond.toFixed(0),
      'cpu ms',
      ((c.user + c.system) / 1000) | 0,
      'wall',
      (performance.now() - t0) | 0,
      JSON.stringify((gpu.counters as any).snapshot?.() ?? gpu.counters),
    );
  },
});
const step = gpu.step({ timing: true });
const { loss } = (g as any).nextTokenLoss(
  model,
  step,
  Array.from({ length: B }, (_, b) => Uint32Array.from({ length: T + 1 }, (_, t) => (b * 7 + t * t * 13) % 440)),
);
const { gradients } = await import('@limn/tensor');
const { tensorsOf } = g as any;
const ps = [...model.parameters()].flatMap(([, p]: any) => (p.blocks ? p.blocks : [p]));
gradients(step, loss, 'ones', ps);
console.log(JSON.stringify(step.plan(), null, 0).slice(0, 3000));
await step.submit();
const tm = (await gpu.timings()) as any[];
tm.sort((a, b) => b.nanoseconds - a.nanoseconds);
for (const x of tm.slice(0, 30)) console.log(JSON.stringify(x));
gpu.dispose();
