// What explains learnt values, as a record holds it: which cells work together, their values in few terms, where heads look, what a cell is made of, which prompts asked for it.
import { finite, list, object, oneOf, orNull, text, whole } from './schema.js';
import type { Infer, Issue } from './schema.js';

const name = text({ longest: 1000 });
/** One number per token of a prompt. */
const perToken = list(finite, { most: 5000 });
const layer = whole(0, 10_000);

/** I_ij = Δ(ij) − Δ(i) − Δ(j) + Δ(∅) of the largest cells, means over examples in logits. */
const interactions = object({
  strength: finite,
  examples: whole(1),
  /** Places in the grid; `unit` is the head or neuron of a cell that has several. */
  cells: list(object({ cell: whole() }, { unit: whole() }), { most: 200 }),
  /** Δ(i) − Δ(∅) of each of `cells`. */
  single: list(finite, { most: 200 }),
  /** `i` < `j` are places in `cells`; `error` is the standard error, null of one example. */
  pairs: list(object({ i: whole(), j: whole(), value: finite, error: orNull(finite) }), { most: 20_000 }),
});

/** The values as a sum of coarser terms, α_{s,l,i} = A_s + B_{s,l} + C_{s,r(i)} + D_{s,l,i}: those that are not 0. */
const hierarchy = object({
  penalty: finite,
  /** 1 − Σ (α − fit)² / Σ α² of all terms, and of those above single cells; null where every value is 0. */
  explained: orNull(finite),
  explainedAbove: orNull(finite),
  /** `position` is the name of the position of a cell, and of the role where the level is 'role'. */
  terms: list(
    object({ level: oneOf('site', 'layer', 'role', 'cell'), site: name, value: finite }, { layer, position: name }),
    { most: 10_000 },
  ),
  /** One line per site. */
  summary: list(text(), { most: 20 }),
});

/** Attention of the last token in one layer, without steering and what steering changes of it; both per token of the prompt. */
const attention = object({
  /** Place in `prompts`. */
  prompt: whole(),
  layer,
  strength: finite,
  /** `moved` = ½ Σ |change|, the share of the attention that went elsewhere. */
  heads: list(object({ head: whole(), moved: finite, before: perToken, change: perToken }), { most: 1000 }),
});

/** What an attention cell gives Δ to first order, ⟨a, ∂Δ/∂a⟩ in logits, as the sum of its heads and the output bias. */
const split = object({
  /** Places in `prompts` and in the grid. */
  prompt: whole(),
  cell: whole(),
  total: finite,
  bias: finite,
  /** `sources`: what each token up to the cell's own gives the head. */
  heads: list(object({ head: whole(), value: finite, sources: perToken }), { most: 1000 }),
});

/** A prompt learnt from: cos(−∂L/∂α, α) of its own loss, null where either is 0, and ‖∂L/∂α‖. */
const influential = object({
  text: text(),
  correct: name,
  wrong: name,
  alignment: orNull(finite),
  norm: finite,
});
const influence = object({
  /** Prompts that were measured. */
  examples: whole(),
  /** Most in line with the values, and least, each from its extreme on. */
  most: list(influential, { most: 100 }),
  least: list(influential, { most: 100 }),
});

/** The fields of a steering's record that explain its values; each may be left out. */
export const explanationFields = {
  interactions,
  hierarchy,
  attention: list(attention, { most: 1000 }),
  splits: list(split, { most: 1000 }),
  influence,
};

/**
 * Interactions of the largest cells.
 * @useDeclaredType
 */
export type SteeringInteractionsRecord = Infer<typeof interactions>;
/**
 * The values as a sum of coarser terms.
 * @useDeclaredType
 */
export type SteeringHierarchyRecord = Infer<typeof hierarchy>;
/**
 * Attention of the last token of a prompt in one layer.
 * @useDeclaredType
 */
export type SteeringAttentionRecord = Infer<typeof attention>;
/**
 * An attention cell as the sum of its heads.
 * @useDeclaredType
 */
export type SteeringSplitRecord = Infer<typeof split>;
/**
 * Training prompts in line with the values, and against them.
 * @useDeclaredType
 */
export type SteeringInfluenceRecord = Infer<typeof influence>;

/** A record as far as its explanations go. */
interface Explained {
  readonly interactions?: SteeringInteractionsRecord;
  readonly hierarchy?: SteeringHierarchyRecord;
  readonly attention?: readonly SteeringAttentionRecord[];
  readonly splits?: readonly SteeringSplitRecord[];
  readonly influence?: SteeringInfluenceRecord;
  /** What their places and names are of. */
  readonly grid?: {
    readonly sites: readonly string[];
    readonly layers: readonly number[];
    readonly positions: readonly string[];
  };
  readonly prompts: readonly { readonly tokens: readonly { readonly position?: number }[] }[];
}

/** Places that the grid or the prompts do not have, lists of another length, and what stands twice. */
export function explanationFaults(record: Explained): Issue[] {
  const { interactions: together, hierarchy: levels, attention: looks = [], splits = [], influence: asked } = record;
  const grid = record.grid ?? { sites: [], layers: [], positions: [] };
  const cells = grid.sites.length * grid.layers.length * grid.positions.length;
  return [
    ...(together ? strayPairs(together, cells) : []),
    ...(levels?.terms ?? []).flatMap((term, i) => strayTerm(term, grid, `/hierarchy/terms/${i}`)),
    ...looks.flatMap((each, i) => strayAttention(each, record.prompts, `/attention/${i}`)),
    ...splits.flatMap((each, i) => straySplit(each, record.prompts, grid, `/splits/${i}`)),
    ...(asked ? [...tooMany(asked, 'most'), ...tooMany(asked, 'least')] : []),
  ];
}

type Grid = NonNullable<Explained['grid']>;
type Prompts = Explained['prompts'];

/** A fault where something does not hold. */
const unless = (holds: boolean, path: string, given: string | number, allowed: string): Issue[] =>
  holds ? [] : [{ path, given: String(given), allowed }];

/** The first of some names that stands for the second time. */
function twice(path: string, names: readonly string[]): Issue[] {
  const seen = new Set<string>();
  const at = names.findIndex((each) => seen.size === seen.add(each).size);
  return unless(at < 0, `${path}/${at}`, `${names[at]} for the second time`, 'each once');
}

const below = (path: string, given: number, count: number, what: string): Issue[] =>
  unless(given < count, path, given, `a place in ${what}, below ${count}`);

const asLong = (path: string, given: readonly unknown[], count: number, what: string): Issue[] =>
  unless(given.length === count, path, `${given.length} entries`, `one per ${what}, ${count}`);

function strayPairs({ cells, single, pairs }: SteeringInteractionsRecord, count: number): Issue[] {
  const path = '/interactions';
  return [
    ...cells.flatMap(({ cell }, i) => below(`${path}/cells/${i}/cell`, cell, count, 'the grid')),
    ...twice(
      `${path}/cells`,
      cells.map(({ cell, unit }) => `cell ${cell}${unit === undefined ? '' : `, unit ${unit}`}`),
    ),
    ...asLong(`${path}/single`, single, cells.length, 'cell'),
    ...pairs.flatMap(({ i, j }, at) => [
      ...below(`${path}/pairs/${at}/j`, j, cells.length, 'cells'),
      ...unless(i < j, `${path}/pairs/${at}/i`, i, `below j, ${j}`),
    ]),
    ...twice(
      `${path}/pairs`,
      pairs.map(({ i, j }) => `${i} and ${j}`),
    ),
  ];
}

/** A term has the layer and the position that its level is of, and no other. */
function strayTerm(
  { level, site, layer: of, position }: SteeringHierarchyRecord['terms'][number],
  { sites, layers, positions }: Grid,
  path: string,
): Issue[] {
  const none = `nothing, since the level is '${level}'`;
  const [ofLayer, ofPosition] = [level === 'layer' || level === 'cell', level === 'role' || level === 'cell'];
  return [
    ...unless(sites.includes(site), `${path}/site`, site, 'a site of the grid'),
    ...unless(
      ofLayer ? of !== undefined && layers.includes(of) : of === undefined,
      `${path}/layer`,
      of ?? 'nothing',
      ofLayer ? 'a layer of the grid' : none,
    ),
    ...unless(
      ofPosition
        ? position !== undefined && (level === 'role' || positions.includes(position))
        : position === undefined,
      `${path}/position`,
      position ?? 'nothing',
      level === 'cell' ? 'a position of the grid' : ofPosition ? 'a role' : none,
    ),
  ];
}

const strayHeads = (path: string, heads: readonly { readonly head: number }[]): Issue[] => [
  ...unless(heads.length > 0, path, 'a list of 0', 'at least one head'),
  ...twice(
    path,
    heads.map(({ head }) => `head ${head}`),
  ),
];

function strayAttention({ prompt, heads }: SteeringAttentionRecord, prompts: Prompts, path: string): Issue[] {
  const tokens = prompts[prompt]?.tokens.length;
  return [
    ...below(`${path}/prompt`, prompt, prompts.length, 'prompts'),
    ...strayHeads(`${path}/heads`, heads),
    ...(tokens === undefined ? [] : heads).flatMap(({ before, change }, h) => [
      ...asLong(`${path}/heads/${h}/before`, before, tokens ?? 0, 'token of the prompt'),
      ...asLong(`${path}/heads/${h}/change`, change, tokens ?? 0, 'token of the prompt'),
    ]),
  ];
}

function straySplit({ prompt, cell, heads }: SteeringSplitRecord, prompts: Prompts, grid: Grid, path: string): Issue[] {
  const count = grid.sites.length * grid.layers.length * grid.positions.length;
  const faults = [
    ...below(`${path}/prompt`, prompt, prompts.length, 'prompts'),
    ...below(`${path}/cell`, cell, count, 'the grid'),
    ...strayHeads(`${path}/heads`, heads),
  ];
  const [first] = heads;
  if (faults.length || !first) return faults;
  const own = first.sources.length;
  const position = cell % grid.positions.length;
  return [
    ...heads.flatMap(({ sources }, h) =>
      asLong(`${path}/heads/${h}/sources`, sources, own, 'token up to the cell’s own, as of the first head'),
    ),
    ...unless(
      prompts[prompt]?.tokens[own - 1]?.position === position,
      `${path}/heads/0/sources`,
      `${own} entries`,
      `one per token up to the cell’s own, which is at place ${position} of the positions`,
    ),
  ];
}

const tooMany = (given: SteeringInfluenceRecord, which: 'most' | 'least'): Issue[] =>
  unless(
    given[which].length <= given.examples,
    `/influence/${which}`,
    `${given[which].length} entries`,
    `at most the examples that were measured, ${given.examples}`,
  );
