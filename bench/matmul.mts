// Every plan that a product of matrices could take on this adapter, in turns, on the shapes that limn runs: what the rules of chooseMatmul were drawn from.
// npx tsx --conditions limn-source bench/matmul.mts [part of a shape's name] [--all: also plans that the rule thinks not worth measuring]
import { openNodeGpu } from '@limn/gpu/node';
import {
  allocate,
  matmulCandidates,
  multiply,
  persistent,
  possibleMatmuls,
  type MatmulPlan,
  type MatmulShape,
} from '@limn/tensor';
import { adapterRecord } from './harness/adapter.mjs';
import { clocksOf, cpuClock } from './harness/clock.mjs';
import { limnContender } from './harness/limn-contender.mjs';
import { measure } from './harness/measure.mjs';
import { numbers } from './harness/numbers.mjs';
import { samplesBy } from './harness/run-ceilings.mjs';
import { ratioOf, timingOf } from './harness/statistics.mjs';
import { digits, duration, times } from './harness/text.mjs';

interface Shape {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const shapes: readonly Shape[] = [
  { name: 'pocket qkv', m: 3072, n: 192, k: 64 },
  { name: 'pocket qkv dx', m: 3072, n: 64, k: 192, transposeB: true },
  { name: 'pocket qkv dW', m: 64, n: 192, k: 3072, transposeA: true },
  { name: 'pocket fc', m: 3072, n: 256, k: 64 },
  { name: 'pocket proj', m: 3072, n: 64, k: 256 },
  { name: 'pocket logits', m: 3072, n: 440, k: 64, transposeB: true },
  { name: 'pocket logits dW', m: 440, n: 64, k: 3072, transposeA: true },
  { name: 'gpt2 fc', m: 64, n: 3072, k: 768 },
  { name: 'gpt2 fc dx', m: 64, n: 768, k: 3072, transposeB: true },
  { name: 'gpt2 fc dW', m: 768, n: 3072, k: 64, transposeA: true },
  { name: 'dictionary encoder', m: 320, n: 24_576, k: 768, transposeB: true },
  { name: 'square 512', m: 512, n: 512, k: 512 },
  { name: 'primes', m: 499, n: 503, k: 509 },
  { name: 'one row of 1024', m: 1, n: 1024, k: 1024 },
  { name: 'gpt2 decode fc', m: 1, n: 3072, k: 768 },
  { name: 'gpt2 decode logits', m: 1, n: 8192, k: 768, transposeB: true },
  { name: 'four rows', m: 4, n: 3072, k: 768 },
];

const [only = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const all = process.argv.includes('--all');
const gpu = await openNodeGpu({ workBudgetFlops: 1e12, choices: 'built-in' });
const adapter = adapterRecord(gpu);
const cpu = cpuClock();
const { own } = clocksOf(adapter, cpu);
console.log(`${adapter.description || adapter.device} (${adapter.source}); ${own} time, medians of 7 rounds in turns`);

const nameOf = ({ kernel, splits, packA, packB }: MatmulPlan): string =>
  [kernel, splits > 1 ? `/ ${splits}` : '', packA ? 'a copied' : '', packB ? 'b copied' : ''].filter(Boolean).join(' ');

for (const shape of shapes.filter(({ name }) => name.includes(only))) {
  const { m, n, k, transposeA = false, transposeB = false } = shape;
  const a = { storage: persistent(gpu, [m * k], numbers(m * k, 1)).storage, row: transposeA ? m : k };
  const b = { storage: persistent(gpu, [k * n], numbers(k * n, 2)).storage, row: transposeB ? k : n };
  const aligned = (row: number): boolean => row % 4 === 0;
  const whole: MatmulShape = {
    m,
    n,
    k,
    batch: 1,
    transposeA,
    transposeB,
    alignedA: aligned(a.row),
    alignedB: aligned(b.row),
  };
  const { capabilities } = gpu;
  const candidates = matmulCandidates(capabilities, whole);
  const others = possibleMatmuls(capabilities, whole).filter(
    (kernel) => !candidates.some((each) => each.kernel === kernel),
  );
  const plans = [...candidates, ...(all ? others.map((kernel): MatmulPlan => ({ kernel, splits: 1 })) : [])];
  const contenders = plans.map((plan) =>
    limnContender(
      gpu,
      (step) => {
        const c = allocate(step, [m, n], 'c');
        multiply(step, {
          m,
          n,
          k,
          plan,
          a: { ...a, transposed: transposeA },
          b: { ...b, transposed: transposeB },
          c: { storage: c.storage, row: n },
        });
        return c;
      },
      undefined,
      nameOf(plan),
    ),
  );
  console.log(`${shape.name}: ${m} × ${n} × ${k}${transposeA ? ' Aᵀ' : ''}${transposeB ? ' Bᵀ' : ''}`);
  const samples = (await measure(contenders, { rounds: 7, cpu, gpu: own === 'gpu' })).map((each) =>
    samplesBy(own, each),
  );
  samples.forEach((sample, i) => {
    const { median } = timingOf(sample);
    const rate = digits((2 * m * n * k) / median / 1e6);
    const mark = i === 0 ? '  ← the rule' : `  ${times(ratioOf(sample, samples[0]!).median)} of its time`;
    console.log(`  ${nameOf(plans[i]!).padEnd(28)} ${duration(median).padStart(9)} ${rate.padStart(8)} GFLOP/s${mark}`);
  });
  gpu.trim();
}
gpu.dispose();
