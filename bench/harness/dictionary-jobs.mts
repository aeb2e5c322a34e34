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

const inputs = ({ tokens, width, features }: Shape) => ({
  x: numbers(tokens * width, 20),
  target: numbers(tokens * width, 21),
  wEnc: numbers(features * width, 22, 0.3),
  bEnc: numbers(features, 23, 0.1),
  wDec: numbers(features * width, 24, 0.3),
  bDec: numbers(width, 25, 0.1),
});

async function open(gpu: Gpu, shape: Shape, form: 'sparse' | 'dense'): Promise<Contender> {
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
    if (form === 'sparse') return sparseDecode(step, encodeTopK(step, x, wEnc, bEnc, { k }), wDec, bDec);
    const h = matmul(step, x, wEnc, { transposeB: true, bias: bEnc });
    return matmul(step, relu(step, h), wDec, { bias: bDec });
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
    form === 'sparse' ? 'limn' : 'dense',
  );
}

/** Three rows of ŷ in float64. Sums of `width` and of k terms; no two of a row's pre-activations near the k-th are as close as f32 errs. */
function expected(shape: Shape): Expected[] {
  const { tokens, width, k } = shape;
  const { x, wEnc, bEnc, wDec, bDec } = inputs(shape);
  return places(3, tokens).flatMap((row) => {
    const h = Array.from(bEnc, (bias, f) => {
      let sum = bias;
      for (let i = 0; i < width; i++) sum += x[row * width + i]! * wEnc[f * width + i]!;
      return sum;
    });
    const kept = h
      .map((value, f) => ({ value, f }))
      .filter(({ value }) => value > 0)
      .sort((a, b) => b.value - a.value)
      .slice(0, k);
    return Array.from(bDec, (bias, o) => {
      const terms = kept.map(({ value, f }) => value * wDec[f * width + o]!);
      const size = terms.reduce((sum, term) => sum + Math.abs(term), Math.abs(bias));
      const value = terms.reduce((sum, term) => sum + term, bias);
      return { at: row * width + o, value, bound: (size * (width + k)) / 2 ** 23 };
    });
  });
}

function dictionaryStep(shape: Shape, more: Partial<Job> = {}): Job {
  const { tokens, width, features, k } = shape;
  return {
    name: `dictionary step, ${tokens} tokens, ${width} → ${features}, ${k} at a time`,
    group: 'kernels',
    // The encoder's product, and four with as many terms as there are entries: ŷ, the gradients of its values and of both matrices.
    work: { flops: 2 * tokens * width * (features + 4 * k) },
    ceiling: 'fma',
    beside: [{ name: 'dense step', open: (gpu) => open(gpu, shape, 'dense') }],
    open: (gpu) => open(gpu, shape, 'sparse'),
    check: (result) => compare(result, tokens * width, expected(shape)),
    ...more,
  };
}

/** About one feature in a hundred at a time; GPT-2 small's, whose dense pre-activations could not be bound, on devices. */
export function dictionaryJobs(): Job[] {
  return [
    dictionaryStep({ tokens: 1024, width: 64, features: 1024, k: 10 }),
    dictionaryStep({ tokens: 1024, width: 256, features: 4096, k: 41 }),
    dictionaryStep({ tokens: 4096, width: 768, features: 24_576, k: 64 }, { devicesOnly: true, beside: [] }),
  ];
}
