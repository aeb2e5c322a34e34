// GFLOP/s of every matmul kernel on the shapes that limn runs: the measurements behind chooseMatmul.
// npx tsx --conditions limn-source bench/matmul.mts [shape filter] [--splits]
import { openNodeGpu } from '@limn/gpu/node';
import {
  allocate,
  chooseMatmul,
  multiply,
  persistent,
  possibleMatmuls,
  type MatmulPlan,
  type MatmulShape,
} from '@limn/tensor';

interface Shape {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const shapes: Shape[] = [
  { name: 'pocket qkv', m: 3072, n: 192, k: 64 },
  { name: 'pocket qkv dx', m: 3072, n: 64, k: 192, transposeB: true },
  { name: 'pocket qkv dW', m: 64, n: 192, k: 3072, transposeA: true },
  { name: 'pocket fc', m: 3072, n: 256, k: 64 },
  { name: 'pocket fc dx', m: 3072, n: 64, k: 256, transposeB: true },
  { name: 'pocket fc dW', m: 64, n: 256, k: 3072, transposeA: true },
  { name: 'pocket proj', m: 3072, n: 64, k: 256 },
  { name: 'pocket proj dW', m: 256, n: 64, k: 3072, transposeA: true },
  { name: 'pocket out dW', m: 64, n: 64, k: 3072, transposeA: true },
  { name: 'pocket logits', m: 3072, n: 400, k: 64, transposeB: true },
  { name: 'pocket logits dx', m: 3072, n: 64, k: 400 },
  { name: 'pocket logits dW', m: 400, n: 64, k: 3072, transposeA: true },
  { name: 'gpt2 fc', m: 64, n: 3072, k: 768 },
  { name: 'gpt2 fc dx', m: 64, n: 768, k: 3072, transposeB: true },
  { name: 'square 512', m: 512, n: 512, k: 512 },
  { name: 'gpt2 decode fc', m: 1, n: 3072, k: 768 },
  { name: 'gpt2 decode proj', m: 1, n: 768, k: 3072 },
  { name: 'gpt2 decode logits', m: 1, n: 8192, k: 768, transposeB: true },
  { name: 'four rows', m: 4, n: 3072, k: 768 },
];

const filter = process.argv[2] && !process.argv[2].startsWith('--') ? process.argv[2] : '';
const trySplits = process.argv.includes('--splits');
const gpu = await openNodeGpu({ workBudgetFlops: 1e12 });
const { adapter, source } = gpu.capabilities;
console.log(`${adapter.description || adapter.device} (${source})`);
console.log('GFLOP/s of wall time and, for software adapters, per core of CPU time; best of 5');

/** Best of five runs of `repeats` products each, in seconds of wall and of CPU time per product. */
async function measure(shape: Shape, plan: MatmulPlan, repeats: number): Promise<{ wall: number; cpu: number }> {
  const { m, n, k, transposeA = false, transposeB = false } = shape;
  const ones = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => (i % 7) - 3);
  const a = persistent(gpu, [m * k], ones(m * k));
  const b = persistent(gpu, [k * n], ones(k * n));
  let wall = Infinity;
  let cpu = Infinity;
  for (let round = 0; round < 6; round++) {
    const start = performance.now();
    const before = process.cpuUsage();
    const step = gpu.step();
    for (let i = 0; i < repeats; i++) {
      const c = allocate(step, [m * n], 'c');
      multiply(step, {
        m,
        n,
        k,
        a: { storage: a.storage, row: transposeA ? m : k, transposed: transposeA },
        b: { storage: b.storage, row: transposeB ? k : n, transposed: transposeB },
        c: { storage: c.storage, row: n },
        plan,
      });
      if (i === repeats - 1) await step.read(c.storage);
    }
    step.dispose();
    const used = process.cpuUsage(before);
    if (round === 0) continue;
    wall = Math.min(wall, (performance.now() - start) / 1e3 / repeats);
    cpu = Math.min(cpu, (used.user + used.system) / 1e6 / repeats);
  }
  a.dispose();
  b.dispose();
  return { wall, cpu };
}

for (const shape of shapes.filter(({ name }) => name.includes(filter))) {
  const { m, n, k, transposeA = false, transposeB = false } = shape;
  const work = 2 * m * n * k;
  const full: MatmulShape = { m, n, k, batch: 1, transposeA, transposeB, alignedA: true, alignedB: true };
  const chosen = chooseMatmul(gpu.capabilities, full);
  console.log(`${shape.name}: ${m} × ${n} × ${k}${transposeA ? ' Aᵀ' : ''}${transposeB ? ' Bᵀ' : ''}`);
  for (const kernel of possibleMatmuls(gpu.capabilities, full))
    for (const splits of trySplits ? [1, 4, 16] : [1]) {
      const plan = { kernel, splits };
      const { wall, cpu } = await measure(shape, plan, Math.max(1, Math.round(5e7 / work)));
      const mark = chosen.kernel === kernel && chosen.splits === splits ? '  ← chosen' : '';
      console.log(
        `  ${`${kernel}${splits > 1 ? ` / ${splits}` : ''}`.padEnd(14)} ${(work / wall / 1e9).toFixed(2).padStart(8)}  ${(work / cpu / 1e9).toFixed(2).padStart(8)}${mark}`,
      );
    }
}
gpu.dispose();
process.exit(0);
