// Runs an op and its gradients on the GPU against a float64 reference: bounds, canaries, every wanted mask, equal bits twice.
import type { Step, Variant } from '@limn/gpu';
import {
  expectClose,
  expectSameBits,
  referenceRandom,
  testGpu,
  withCanaries,
  type ClosenessCase,
  type Reference,
} from '@limn/testing';
import { fromData, gradients, type Tensor } from '../src/index.js';
import { withWorkgroup } from './workgroups.js';

/** One input: values with a shape; whole numbers have no gradient. */
export interface OpInput {
  readonly shape: readonly number[];
  readonly values: Float64Array | Uint32Array;
  /** Gradients are checked for this input; default for Float64Array. */
  readonly differentiable?: boolean;
}

/** What is checked. */
export interface OpCase {
  readonly kernel: string;
  readonly case: string;
  readonly inputs: readonly OpInput[];
  readonly run: (step: Step, inputs: readonly Tensor[]) => Tensor;
  readonly expected: Reference;
  /** Length of the longest sum in forward. */
  readonly n: number;
  readonly c?: number;
  /** Gradients by input (undefined for inputs without), given the seed. */
  readonly vjp?: (seed: Float64Array) => readonly (Reference | undefined)[];
  /** Longest sum behind each gradient. */
  readonly vjpN?: readonly number[];
  readonly vjpC?: number;
  /** Check every subset of gradients rather than all at once only. */
  readonly masks?: boolean;
  readonly variant?: Variant;
  /** Forces this WG on every kernel that has one; by default kernels tune it to the adapter. */
  readonly workgroup?: number;
}

/** The reduce variants that the adapter has. */
export async function reduceVariants(): Promise<Variant[]> {
  const { capabilities } = await testGpu();
  return capabilities.subgroups ? [{ reduce: 'tree' }, { reduce: 'subgroup' }] : [{ reduce: 'tree' }];
}

/** Every reduce variant with the workgroup that suits the adapter and with the one that GPUs get. */
export async function rowVariants(): Promise<{ name: string; how: Pick<OpCase, 'variant' | 'workgroup'> }[]> {
  const variants = await reduceVariants();
  return variants.flatMap((variant) => [
    { name: `${variant.reduce}`, how: { variant } },
    { name: `${variant.reduce}, WG 64`, how: { variant, workgroup: 64 } },
  ]);
}

function subsets(count: number, all: boolean): boolean[][] {
  const full = 2 ** count - 1;
  const numbers = all ? Array.from({ length: full }, (_, i) => i + 1) : [full];
  return numbers.map((bits) => Array.from({ length: count }, (_, i) => ((bits >> i) & 1) === 1));
}

/** Checks the case; returns the names of the kernels that ran. */
export async function checkOp(about: OpCase): Promise<ReadonlySet<string>> {
  const gpu = await testGpu();
  const variant = about.variant ?? {};
  const { workgroup } = about;
  const label = [...Object.values(variant), ...(workgroup ? [`WG ${workgroup}`] : [])].join(',');
  const random = referenceRandom(about.inputs.length * 1009 + about.n);
  const seed = random.normals(about.expected.values.length);
  const expected = about.vjp?.(seed);
  const differentiable = about.inputs.map((input) => input.differentiable ?? input.values instanceof Float64Array);
  const places = [...differentiable.keys()].filter((i) => differentiable[i]);
  const ran = new Set<string>();

  const attempt = async (mask: readonly boolean[]): Promise<{ y: Float32Array; grads: Float32Array[] }> => {
    using step = gpu.step({ label: about.case });
    const canaries = withCanaries(step, variant);
    if (workgroup) withWorkgroup(step, workgroup);
    const tensors = about.inputs.map(({ shape, values }) =>
      fromData(step, values instanceof Uint32Array ? values : Float32Array.from(values), shape),
    );
    const y = about.run(step, tensors);
    const targets = places.filter((_, i) => mask[i]).map((i) => tensors[i]!);
    const grads = about.vjp ? gradients(step, y, fromData(step, Float32Array.from(seed), y.shape), targets) : [];
    const [first, ...rest] = await canaries.read([y, ...grads]);
    for (const name of canaries.kernels) ran.add(name);
    return { y: first!, grads: rest };
  };

  const cased = (what: string, n: number, c: number | undefined): ClosenessCase => ({
    kernel: about.kernel,
    variant: label,
    case: `${about.case}${what}`,
    n,
    ...(c === undefined ? {} : { c }),
  });
  for (const mask of subsets(places.length, about.masks === true)) {
    const { y, grads } = await attempt(mask);
    expectClose(y, about.expected, cased('', about.n, about.c));
    let at = 0;
    for (const [i, place] of places.entries()) {
      if (!mask[i] || !expected) continue;
      const n = about.vjpN?.[place] ?? about.n;
      expectClose(grads[at]!, expected[place]!, cased(`, d input ${place}`, n, about.vjpC));
      at += 1;
    }
    if (mask.every(Boolean)) {
      const again = await attempt(mask);
      expectSameBits(y, again.y, `${about.kernel} ${about.case}`);
      grads.forEach((grad, g) => expectSameBits(grad, again.grads[g]!, `${about.kernel} ${about.case}, gradient ${g}`));
    }
  }
  return ran;
}
