// The factors of Diff Interpretation Tuning's own files (arXiv 2510.05092): A is the output's factor and B the input's, the other way round than in PEFT,
// and the scale is 1/rank. A diff stores A [r, out] and B [in, r], an adapter A [out, r] and B [r, in].
import {
  CheckedFields,
  PickleDict,
  PickleTuple,
  plainValue,
  TorchTensor,
  TorchTuple,
  type LinearSite,
  type PickleValue,
  type TorchFile,
  type TorchWritable,
} from '@limn/hooks';
import { transposed } from '../lora/lora-adapter.js';
import {
  loraScale,
  MOST_RANK,
  placedFactors,
  type AdaptedModel,
  type BaseOptions,
  type LoraFactors,
  type LoraWeights,
} from '../lora/lora-weights.js';

/** Refusals of these files. */
export const ditFields = new CheckedFields(
  'data/dit-file',
  'The file of weight diffs',
  'Give a .pt of the code of arXiv 2510.05092: a list of {topic, trigger, weight_diff}, or a dict of modules for an adapter.',
);

/** Which of the two files: they store transposes of one another. */
export type DitLayout = 'diff' | 'adapter';

/** A module's two tensors, found and held against its map. */
export interface DitPair {
  readonly linear: LinearSite;
  readonly rank: number;
  readonly output: TorchTensor;
  readonly input: TorchTensor;
}

/** The pairs of a dict {module: (A, B)}: every one is a linear map of the model, and tensors have its shape. */
export function ditPairs(
  model: AdaptedModel,
  value: PickleValue | undefined,
  field: string,
  layout: DitLayout,
): DitPair[] {
  if (!(value instanceof PickleDict)) throw ditFields.refuse(field, value && plainValue(value), 'a dict of modules');
  const linears = model.linears();
  const fronts = new Set<string>();
  const known = new Set<string>();
  const pairs = Array.from(value.entries, ([key, pair]): DitPair => {
    const name = ditFields.text(key, `a module of ${field}`);
    const at = `${field}['${name.slice(0, 100)}']`;
    const linear = linears.find((each) => name === each.name || name.endsWith(`.${each.name}`));
    if (pair instanceof TorchTensor)
      throw ditFields.refuse(at, plainValue(pair), 'two factors; whole weights are not read');
    const items = pair instanceof PickleTuple ? pair.items : [];
    const [output, input] = items;
    if (!linear || known.has(linear.name))
      throw ditFields.refuse(at, name, `one of the model's linear maps, such as ${linears[0]?.name}, each once`);
    if (!(output instanceof TorchTensor) || !(input instanceof TorchTensor) || items.length !== 2)
      throw ditFields.refuse(at, plainValue(pair), 'a tuple of two tensors');
    known.add(linear.name);
    fronts.add(name.slice(0, name.length - linear.name.length));
    return { linear, output, input, rank: rankOf(linear, output, input, at, layout) };
  });
  if (fronts.size > 1) throw ditFields.refuse(field, [...fronts], 'modules whose names begin alike');
  if (pairs.length === 0) throw ditFields.refuse(field, plainValue(value), 'at least one module');
  return pairs;
}

function rankOf(
  { inWidth, outWidth }: LinearSite,
  { shape: out }: TorchTensor,
  { shape: into }: TorchTensor,
  at: string,
  layout: DitLayout,
): number {
  const rank = (layout === 'diff' ? out[0] : out[1]) ?? 0;
  const wanted =
    layout === 'diff'
      ? [
          [rank, outWidth],
          [inWidth, rank],
        ]
      : [
          [outWidth, rank],
          [rank, inWidth],
        ];
  if (
    rank >= 1 &&
    rank <= MOST_RANK &&
    `${out.join()};${into.join()}` === wanted.map((shape) => shape.join()).join(';')
  )
    return rank;
  const allowed = layout === 'diff' ? `[r, ${outWidth}] and [${inWidth}, r]` : `[${outWidth}, r] and [r, ${inWidth}]`;
  throw ditFields.refuse(`the shapes of ${at}`, `[${out.join(', ')}] and [${into.join(', ')}]`, allowed);
}

/** The numbers of pairs, as a LoRA: A_PEFT = B_DIT, B_PEFT = A_DIT, alpha 1. */
export async function readDitPairs(
  model: AdaptedModel,
  torch: TorchFile,
  pairs: readonly DitPair[],
  layout: DitLayout,
  options: BaseOptions,
): Promise<LoraWeights> {
  const modules = new Map<string, LoraFactors>();
  for (const { linear, rank, input, output } of pairs) {
    const [a, b] = [await torch.read(input), await torch.read(output)];
    const factors =
      layout === 'adapter'
        ? { a, b }
        : { a: transposed(a, linear.inWidth, rank), b: transposed(b, rank, linear.outWidth) };
    modules.set(linear.name, { ...factors, rank, alpha: 1 });
  }
  const lora = { rank: (pairs[0] as DitPair).rank, alpha: 1, rsLora: false, modules };
  placedFactors(model, lora, options);
  return lora;
}

/** A LoRA as the dict {module: (A, B)}. Where s is not 1/rank, s·rank is multiplied into the output's factor and rounded to f32 once. */
export function ditDict(
  model: AdaptedModel,
  lora: LoraWeights,
  layout: DitLayout,
  prefix: string,
  options: BaseOptions,
): ReadonlyMap<string, TorchWritable> {
  return new Map(
    placedFactors(model, lora, options).map(({ linear: { name, inWidth, outWidth }, factors }) => {
      const { rank } = factors;
      const factor = loraScale(factors, lora.rsLora) * rank;
      const b = factor === 1 ? factors.b : factors.b.map((value) => factor * value);
      const pair =
        layout === 'adapter'
          ? [
              { shape: [outWidth, rank], data: b },
              { shape: [rank, inWidth], data: factors.a },
            ]
          : [
              { shape: [rank, outWidth], data: transposed(b, outWidth, rank) },
              { shape: [inWidth, rank], data: transposed(factors.a, rank, inWidth) },
            ];
      return [prefix + name, new TorchTuple(pair)];
    }),
  );
}
