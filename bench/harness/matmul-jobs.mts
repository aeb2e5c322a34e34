// Products of matrices as jobs: squares, awkward sizes, single rows, and the shapes of GPT-2. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { keep, matmul, persistent, rowBlocks, toF16, unembed, type MatmulOptions, type Tensor } from '@limn/tensor';
import { arithmeticBeside } from './arithmetic-beside.mjs';
import type { Contender, MatmulSpec } from './contender.mjs';
import type { Beside, Job } from './job.mjs';
import { limnContender } from './limn-contender.mjs';
import { compare, geluTanh, numbers, places, type Expected } from './numbers.mjs';

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** b is stored as f16. */
  readonly half?: boolean;
  /** gelu(a·b + bias) + residual, in the same kernel. */
  readonly epilogue?: boolean;
}

const flops = ({ m, n, k }: Product): number => 2 * m * n * k;
const bytes = ({ m, n, k, half }: Product): number => 4 * (m * k + m * n) + (half ? 2 : 4) * k * n;

const inputs = ({ m, n, k }: Product) => ({ a: numbers(m * k, 1), b: numbers(k * n, 2) });

function specOf(product: Product): MatmulSpec {
  const { m, n, k } = product;
  return { kind: 'matmul', m, n, k, ...inputs(product) };
}

/** limn's product, with operands on the device. */
async function open(gpu: Gpu, product: Product, name?: string): Promise<Contender> {
  const { m, n, k, transposeA = false, transposeB = false, half, epilogue } = product;
  const { a, b } = inputs(product);
  const owned: Tensor[] = [];
  const own = (shape: readonly number[], data: Float32Array<ArrayBuffer>): Tensor => {
    const tensor = persistent(gpu, shape, data);
    owned.push(tensor);
    return tensor;
  };
  const left = own(transposeA ? [k, m] : [m, k], a);
  let right = own(transposeB ? [n, k] : [k, n], b);
  if (half) {
    const step = gpu.step();
    right = keep(step, toF16(step, right));
    owned.push(right);
    await step.submit();
  }
  const options: MatmulOptions = epilogue
    ? { bias: own([n], numbers(n, 3)), gelu: 'tanh', residual: own([m, n], numbers(m * n, 4)) }
    : {};
  const free = (): void => owned.forEach((tensor) => tensor.dispose());
  return limnContender(gpu, (step) => matmul(step, left, right, { transposeA, transposeB, ...options }), free, name);
}

/** c = Σ a·b in float64, rounding of k terms at most; f16 rounds b once more. */
function expected(product: Product): Expected[] {
  const { m, n, k, transposeA, transposeB, half, epilogue } = product;
  const { a, b } = inputs(product);
  const bias = epilogue ? numbers(n, 3) : undefined;
  const residual = epilogue ? numbers(m * n, 4) : undefined;
  return places(97, m * n).map((at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    let [value, size] = [0, 0];
    for (let t = 0; t < k; t++) {
      const x = a[transposeA ? t * m + row : row * k + t]!;
      const y = b[transposeB ? column * k + t : t * n + column]!;
      value += x * y;
      size += Math.abs(x * y);
    }
    let bound = size * ((k + 2) * 2 ** -24 + (half ? 2 ** -11 : 0)) + 1e-6;
    if (bias && residual) {
      value += bias[column]!;
      // gelu's slope is at most 1.13; its tanh is within 1e-6 on every adapter.
      value = geluTanh(value);
      bound = 1.13 * bound + Math.abs(value) * 2e-6;
      value += residual[at]!;
    }
    return { at, value, bound };
  });
}

function job(name: string, product: Product, more: Partial<Job> = {}): Job {
  const { m, n, transposeA, transposeB, half, epilogue } = product;
  // What peers are given is the plain product.
  const plain = !transposeA && !transposeB && !half && !epilogue;
  return {
    name,
    group: 'kernels',
    work: { flops: flops(product), bytes: bytes(product) },
    ceiling: m === 1 ? 'read-kernel' : 'fma',
    open: (gpu) => open(gpu, product),
    check: (result) => compare(result, m * n, expected(product)),
    ...(plain ? { spec: () => specOf(product) } : {}),
    ...more,
  };
}

const beside = (name: string, product: Product): Beside => ({
  name,
  work: { flops: flops(product) },
  open: (gpu) => open(gpu, product, name),
});

const square = (size: number): Product => ({ m: size, n: size, k: size });

/** x·Wᵀ against a table too large for one binding: blocks of its rows, one product each. */
const unembedding = (product: Product): Job =>
  job('unembedding of one row', product, {
    async open(gpu) {
      const { m, n, k } = product;
      const { a, b } = inputs(product);
      const x = persistent(gpu, [m, k], a);
      const table = rowBlocks(gpu, n, k, b);
      const free = (): void => [x, ...table.blocks].forEach((each) => each.dispose());
      return limnContender(gpu, (step) => unembed(step, x, table), free);
    },
  });

/** All products. */
export function matmulJobs(): Job[] {
  const fc: Product = { m: 64, n: 3072, k: 768 };
  return [
    job('matmul 512 × 512 × 512', square(512), { beside: arithmeticBeside }),
    job('matmul 1024 × 1024 × 1024', square(1024), { beside: arithmeticBeside }),
    job(
      'matmul 499 × 503 × 509',
      { m: 499, n: 503, k: 509 },
      { beside: [beside('512 × 512 × 512, per flop', square(512))] },
    ),
    job('matmul 4096 × 4096 × 4096', square(4096), { devicesOnly: true, beside: arithmeticBeside }),
    job('matvec 1 × 1024 × 1024', { m: 1, n: 1024, k: 1024 }),
    job('matmul 64 × 3072 × 768', fc),
    job(
      'matmul 64 × 3072 × 768 with bias, gelu and residual',
      { ...fc, epilogue: true },
      { beside: [beside('the plain product', fc)] },
    ),
    job('matmul 64 × 3072 × 768, f16 weights', { ...fc, half: true }, { beside: [beside('f32 weights', fc)] }),
    job(
      'matmul 64 × 768 × 3072, b transposed (input gradient)',
      { m: 64, n: 768, k: 3072, transposeB: true },
      { beside: [beside('the product, per flop', fc)] },
    ),
    job(
      'matmul 768 × 3072 × 64, a transposed (weight gradient)',
      { m: 768, n: 3072, k: 64, transposeA: true },
      { beside: [beside('the product, per flop', fc)] },
    ),
    unembedding({ m: 1, n: 50257, k: 768, transposeB: true }),
  ];
}
