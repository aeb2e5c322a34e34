// Training steps of dictionaries without the optimiser, sparse beside dense: encoder, decoder, the loss's gradient and those of all weights. Runs in Node and in browsers.
import type { Gpu, Step } from '@limn/gpu';
import { encodeTopK, gradients, matmul, persistent, relu, scale, sparseDecode, sub, type Tensor } from '@limn/tensor';
import type { Contender } from './contender.mjs';
import type { Job } from './job.mjs';
import { limnContender } from './limn-contender.mjs';
import { compare, numbers, places, type Expected } from './numbers.mjs';

/** A dictionary that reads and writes rows of `width` numbers, k of its features at a time. */
interface Shape {
  readonly tokens: number;
  readonly width: number;
  readonly features: number;
  readonly k: number;
}

/** What is left of the pre-activations: k of each row, k · tokens of all together, or all that are positive. */
type Form = 'top-k' | 'batch-top-k' | 'dense';

const inputs = ({ tokens, width, features }: Shape) => ({
  x: numbers(tokens * width, 20),
  target: numbers(tokens * width, 21),
  wEnc: numbers(features * width, 22, 0.3),
  bEnc: numbers(features, 23, 0.1),
  wDec: numbers(features * width, 24, 0.3),
  bDec: numbers(width, 25, 0.1),
});

async function open(gpu: Gpu, shape: Shape, form: Form): Promise<Contender> {
  const { tokens, width, features, k } = shape;
  const host = inputs(shape);
  const x = persistent(gpu, [tokens, width], host.x);
  const target = persistent(gpu, [tokens, width], host.target);
  const wEnc = persistent(gpu, [features, width], host.wEnc);
  const bEnc = persistent(gpu, [features], host.bEnc);
  const wDec = persistent(gpu, [features, width], host.wDec);
  const bDec = persistent(gpu, [width], host.bDec);
  const weights = [wEnc, bEnc, wDec, bDec];
  const decoded = (step: Step): Tensor => {
    if (form === 'dense') {
      const h = matmul(step, x, wEnc, { transposeB: true, bias: bEnc });
      return matmul(step, relu(step, h), wDec, { bias: bDec });
    }
    const over = form === 'batch-top-k' ? 'batch' : 'row';
    return sparseDecode(step, encodeTopK(step, x, wEnc, bEnc, { k, over }), wDec, bDec);
  };
  return limnContender(
    gpu,
    (step) => {
      const y = decoded(step);
      // Of the mean over tokens of the squared error.
      gradients(step, y, scale(step, sub(step, y, target), 2 / tokens), weights);
      return y;
    },
    () => [x, target, ...weights].forEach((tensor) => tensor.dispose()),
    form,
  );
}

/** h of one row in float64. */
function preActivations({ width }: Shape, { x, wEnc, bEnc }: ReturnType<typeof inputs>, row: number): Float64Array {
  const h = Float64Array.from(bEnc);
  for (let f = 0; f < h.length; f++)
    for (let i = 0; i < width; i++) h[f]! += x[row * width + i]! * wEnc[f * width + i]!;
  return h;
}

/** The least of the `count` largest. */
const leastOf = (values: Float64Array, count: number): number => values.sort()[values.length - count]!;

/** The least of the k · tokens largest of all rows. */
function batchLeast(shape: Shape, host: ReturnType<typeof inputs>): number {
  const { tokens, features, k } = shape;
  const all = new Float64Array(tokens * features);
  for (let row = 0; row < tokens; row++) all.set(preActivations(shape, host, row), row * features);
  return leastOf(all, tokens * k);
}

/** Three rows of ŷ in float64. Sums of `width` and of the kept; no pre-activation of these rows is as near the least that is kept as f32 errs. */
function expected(shape: Shape, form: Form): Expected[] {
  const { tokens, width, k } = shape;
  const host = inputs(shape);
  const { wDec, bDec } = host;
  const ofAll = form === 'batch-top-k' ? batchLeast(shape, host) : undefined;
  return places(3, tokens).flatMap((row) => {
    const h = preActivations(shape, host, row);
    const least = Math.max(ofAll ?? leastOf(h.slice(), k), Number.MIN_VALUE);
    const kept = Array.from(h, (value, f) => ({ value, f })).filter(({ value }) => value >= least);
    return Array.from(bDec, (bias, o) => {
      const terms = kept.map(({ value, f }) => value * wDec[f * width + o]!);
      const size = terms.reduce((sum, term) => sum + Math.abs(term), Math.abs(bias));
      const value = terms.reduce((sum, term) => sum + term, bias);
      return { at: row * width + o, value, bound: (size * (width + kept.length)) / 2 ** 23 };
    });
  });
}

function dictionaryStep(shape: Shape, form: 'top-k' | 'batch-top-k', more: Partial<Job> = {}): Job {
  const { tokens, width, features, k } = shape;
  const selected = form === 'top-k' ? 'at a time' : 'at a time over the batch';
  return {
    name: `dictionary step, ${tokens} tokens, ${width} → ${features}, ${k} ${selected}`,
    group: 'kernels',
    // The encoder's product, and four with as many terms as there are entries: ŷ, the gradients of its values and of both matrices.
    work: { flops: 2 * tokens * width * (features + 4 * k) },
    ceiling: 'fma',
    beside: [{ name: 'dense step', open: (gpu) => open(gpu, shape, 'dense') }],
    open: (gpu) => open(gpu, shape, form),
    check: (result) => compare(result, tokens * width, expected(shape, form)),
    ...more,
  };
}

/** About one feature in a hundred at a time; GPT-2 small's, whose dense pre-activations could not be bound, on devices. */
export function dictionaryJobs(): Job[] {
  const shapes: readonly Shape[] = [
    { tokens: 1024, width: 64, features: 1024, k: 10 },
    { tokens: 1024, width: 256, features: 4096, k: 41 },
  ];
  return [
    ...shapes.map((shape) => dictionaryStep(shape, 'top-k')),
    ...shapes.map((shape) => {
      const byRow = { name: 'top-k step', open: (gpu: Gpu) => open(gpu, shape, 'top-k') };
      const dense = { name: 'dense step', open: (gpu: Gpu) => open(gpu, shape, 'dense') };
      return dictionaryStep(shape, 'batch-top-k', { beside: [dense, byRow] });
    }),
    dictionaryStep({ tokens: 4096, width: 768, features: 24_576, k: 64 }, 'top-k', { devicesOnly: true, beside: [] }),
  ];
}
