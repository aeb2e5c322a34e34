// Which plan a matrix product runs, as a decision that can be measured: its classes of shapes and the shapes that stand for them.
import { defineDecision, type Decision } from '../tuning/decision.js';
import { sizeClass, type CaseClass } from '../tuning/decision-rules.js';
import { chooseMatmul, matmulCandidates, type MatmulPlan, type MatmulShape } from './choose-matmul.js';

type Sizes = readonly [m: number, n: number, k: number];
type Way = Partial<Omit<MatmulShape, 'm' | 'n' | 'k'>>;

const plain = { batch: 1, transposeA: false, transposeB: false, alignedA: true, alignedB: true };
const shapeOf = ([m, n, k]: Sizes, way: Way = {}): MatmulShape => ({ m, n, k, ...plain, ...way });

/** Linear maps [in, out] of a block: queries, keys and values together; attention's output; both of the MLP. */
const maps = (width: number): readonly (readonly [into: number, out: number])[] => [
  [width, 4 * width],
  [4 * width, width],
  [width, width],
];
/** GPT-2 small's; medium's 1024 and its 4096 are of the same classes. */
const gpt2 = maps(768);
const pocket = maps(64);

const forward = (rows: number, [into, out]: readonly [number, number], way: Way = {}): MatmulShape =>
  shapeOf([rows, out, into], way);
const inputGradient = (rows: number, [into, out]: readonly [number, number]): MatmulShape =>
  shapeOf([rows, into, out], { transposeB: true });
const weightGradient = (rows: number, [into, out]: readonly [number, number]): MatmulShape =>
  shapeOf([into, out, rows], { transposeA: true });

/** GPT-2's vocabulary, and rows of a block of its table that fill 64 MiB. */
const vocabulary: readonly [number, number] = [768, 21_845];
const heads = (batch: number, way: Way, ...sizes: Sizes): MatmulShape => shapeOf(sizes, { ...way, batch });
const nt: Way = { transposeB: true };
const tn: Way = { transposeA: true };

/** What limn's models run, in the order in which a tuning that ends early should have come by them. */
const cases: readonly MatmulShape[] = [
  // A token with a cache, a prompt, and batches of prompts.
  ...gpt2.map((map) => forward(1, map)),
  ...gpt2.map((map) => forward(48, map)),
  ...gpt2.map((map) => forward(1024, map)),
  shapeOf([1, vocabulary[1], vocabulary[0]], nt),
  ...gpt2.map((map) => inputGradient(1024, map)),
  ...gpt2.map((map) => weightGradient(1024, map)),
  // pocket: a token, and an update of 3,072 rows.
  ...pocket.flatMap((map) => [forward(3072, map), inputGradient(3072, map), weightGradient(3072, map)]),
  ...pocket.map((map) => forward(1, map)),
  // Attention in parts: scores q·kᵀ and mixtures p·v of all heads, of a token and of prompts.
  heads(12, nt, 1, 256, 64),
  heads(12, {}, 1, 64, 256),
  heads(48, nt, 64, 64, 64),
  heads(48, {}, 64, 64, 64),
  heads(48, tn, 64, 64, 64),
  // Logits of a prompt's last token and of a batch's, and their gradients, whose rows of 50,257 are not aligned.
  shapeOf([16, vocabulary[1], vocabulary[0]], nt),
  shapeOf([16, 768, 21_845], { alignedA: false }),
  shapeOf([1, 768, 21_845], { alignedA: false }),
  // Between them; what there is no time for goes by its neighbours.
  ...[16, 256, 4096].flatMap((rows) => gpt2.map((map) => forward(rows, map))),
  ...gpt2.map((map) => forward(1, map, { dtypeB: 'f16' })),
  ...gpt2.map((map) => forward(1024, map, { dtypeB: 'f16' })),
  ...[256, 64, 16, 4096].flatMap((rows) =>
    gpt2.flatMap((map) => [inputGradient(rows, map), weightGradient(rows, map)]),
  ),
  ...[1, 16, 64].map((rows) => shapeOf([rows, 6567, 768], nt)),
  shapeOf([64, vocabulary[1], vocabulary[0]], nt),
  ...[1, 16, 64].map((rows) => shapeOf([rows, 768, 6567], { alignedA: false })),
  shapeOf([64, 768, 21_845], { alignedA: false }),
];

/** Shapes that share a choice: transposes, type and alignment, and sizes up to the same powers of four. */
function classOf(shape: MatmulShape): CaseClass {
  const { m, n, k, batch, transposeA, transposeB, alignedA, alignedB, dtypeB, narrowA } = shape;
  // Vec4s along k read beyond b's rows where they are no whole ones.
  const wholeB = alignedB && (!transposeB || k % 4 === 0);
  const words = [
    `${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`,
    ...(dtypeB === 'f16' ? [narrowA ? 'f16 both' : 'f16'] : []),
    ...(alignedA ? [] : ['odd-a']),
    ...(wholeB ? [] : ['odd-b']),
  ];
  const sizes = { m: sizeClass(m), n: sizeClass(n), k: sizeClass(k) };
  return { kind: words.join(' '), sizes: batch > 1 ? { ...sizes, batch: sizeClass(batch) } : sizes };
}

/** How a plan is called: `tiled`, `row cut` where the sum is cut into parts, `register packed`. */
const nameOf = ({ kernel, splits, packA, packB }: MatmulPlan): string =>
  [kernel, ...(packA || packB ? ['packed'] : []), ...(splits > 1 ? ['cut'] : [])].join(' ');

/** The plan of every matrix product; its rule is `chooseMatmul`. */
export const matmulDecision: Decision<MatmulShape, MatmulPlan> = defineDecision({
  name: 'matmul',
  classOf,
  rule: chooseMatmul,
  candidates: matmulCandidates,
  nameOf,
  cases,
});
