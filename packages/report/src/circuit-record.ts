// What is written down about one circuit: how it was scored, how faithful it is at every size, and on which prompts.
import { finite, list, object, oneOf, orNull, record, row, text, whole, yesNo } from './schema.js';
import type { Infer } from './schema.js';

/** Source and destination of one edge, in the names of EAP-IG: `a0.h1->a2.h3<q>`, `input->m0`, `m3->logits`. */
export const edgeName = /^(input|a\d+\.h\d+|m\d+)->(a\d+\.h\d+<[qkv]>|m\d+|logits)$/;

const token = text({ longest: 1000 });
const answer = text({ longest: 1000 });

/** A node of the graph that edges go out of. */
const nodeName = /^(input|a\d+\.h\d+|m\d+)$/;

/** One pair of prompts, as token strings. Both have the same length. */
const pair = object(
  { clean: list(token, { most: 4096 }), corrupted: list(token, { most: 4096 }) },
  {
    correct: list(answer, { most: 1000 }),
    incorrect: list(answer, { most: 1000 }),
    /** The metric of this pair, where it was kept. */
    values: object({ clean: finite, corrupted: finite }),
  },
);

/** One evaluated size: `n` edges asked for, `kept` after pruning, `fraction` = n / all edges. */
const point = object(
  { n: whole(), kept: whole(), fraction: finite, faithfulness: orNull(finite) },
  {
    /** Nodes or neurons chosen, where circuits are chosen by them. */ units: whole(),
    /** Why there is no faithfulness. */ reason: text(),
    /** The metric of the circuit itself. */ value: orNull(finite),
    /** Further metrics of the same runs, by name. */
    also: record(object({ value: orNull(finite), faithfulness: orNull(finite) }), { most: 10 }),
    /** Where the faithfulness lies when the pairs are drawn again; null, with a reason, where there is no such band. */
    band: object({ low: orNull(finite), high: orNull(finite) }, { reason: text() }),
  },
);

/**
 * What a curve is held against, at some of its sizes: `random-connected`, circuits as large and as deep, `draws` of them at each size;
 * or circuits of equal n by another ranking. `kept` and `faithfulness` are means over the draws, `low` and `high` their ends.
 */
const baseline = object({
  name: text({ longest: 100 }),
  draws: whole(1),
  points: list(
    object({ n: whole(), kept: finite, faithfulness: orNull(finite), low: orNull(finite), high: orNull(finite) }),
    { most: 1000 },
  ),
});

/** `headline`: even steps on a log axis; `mib`: the ten sizes of MIB (arXiv 2504.13151). */
const curve = object(
  {
    selection: oneOf('absolute', 'signed'),
    sizes: oneOf('headline', 'mib'),
    points: list(point, { most: 1000 }),
  },
  { baselines: list(baseline, { most: 20 }) },
);

/** The marked circuit selected again from pairs of the search, drawn with replacement. Jaccard = |A ∩ B| / |A ∪ B| of the pruned circuits. */
const stability = object({
  resamples: whole(1),
  seed: whole(),
  /** Mean with one another and with the marked circuit, and the 95 % band of the latter. */
  jaccard: object({ pairwise: orNull(finite), withAll: finite, low: finite, high: finite }),
  /** Share of the resamples that have an edge, for those that some have; edges as indices into `edges`. */
  selected: list(row([whole(), finite], []), { most: 300_000 }),
});

/** What pruning took from the marked circuit: edges of no path from input to logits, in the order in which they went, and why nodes died. */
const pruned = object({
  edges: list(text({ longest: 60, pattern: edgeName }), { most: 300_000 }),
  nodes: list(object({ name: text({ longest: 40, pattern: nodeName }), reason: oneOf('unread', 'unfed') }), {
    most: 100_000,
  }),
});

/**
 * The marked circuit without one edge or one node, pruned again: `kept` edges, its mean metric and f, and both minus those of the
 * circuit. `needed`: the metric moves away from the clean run; `idle`: not by more than the tolerance; `harmful`: towards it or beyond;
 * `unknown`: the metric is no finite number, and null.
 */
const drop = object({
  name: text({ longest: 60 }),
  kept: whole(),
  value: orNull(finite),
  change: orNull(finite),
  faithfulness: orNull(finite),
  faithfulnessChange: orNull(finite),
  verdict: oneOf('needed', 'idle', 'harmful', 'unknown'),
});

/**
 * Minimality of the marked circuit: every edge and every node but `input` and `logits` dropped alone, on the pairs of the measurement.
 * `value` and `faithfulness` are those of the circuit in the same evaluation; a change of the metric up to `tolerance` is none.
 */
const knockOut = object({
  value: orNull(finite),
  faithfulness: orNull(finite),
  tolerance: finite,
  edges: list(drop, { most: 50_000 }),
  nodes: list(drop, { most: 50_000 }),
});

/** The edges of one circuit, as indices into `edges`. */
const drawn = object({ n: whole(1), selection: oneOf('absolute', 'signed'), edges: list(whole(), { most: 50_000 }) });

/** How the scores agree with exact patching of every edge. */
const agreement = object(
  {
    reference: text({ longest: 200 }),
    topOverlap: object({ k: whole(1), value: finite }),
    spearman: orNull(finite),
    signAgreement: orNull(finite),
    pearson: orNull(finite),
    pearsonWithoutLargest: orNull(finite),
  },
  { kendall: orNull(finite), edges: whole() },
);

export const circuitFields = {
  kind: oneOf('circuit'),
  /** `pairs` is how many the metric and the faithfulness are means over. */
  task: object(
    { name: text({ longest: 200 }), pairs: whole(1) },
    {
      title: text({ longest: 500 }),
      description: text(),
      source: text({ longest: 2000 }),
      /** How many pairs the scores were computed on, and whether those that measure are others. */
      searchPairs: whole(1),
      heldOut: yesNo,
    },
  ),
  metric: object({ name: text({ longest: 100 }) }, { description: text() }),
  /** Mean metric of the whole model on clean prompts, and of the empty circuit: with everything corrupted, or as `method.ablation` says. */
  baselines: object({ clean: finite, corrupted: finite }),
  method: object(
    { name: text({ longest: 100 }) },
    {
      title: text({ longest: 500 }),
      igSteps: whole(1),
      igRule: oneOf('left', 'right', 'midpoint', 'trapezoid'),
      /** What an edge outside of a circuit carries; patch where it is left out. */
      ablation: oneOf('patch', 'zero', 'mean', 'mean-positional'),
      /** How n edges are chosen; top-n where it is left out. */
      selector: oneOf('top-n', 'greedy'),
      /** What circuits are chosen by, where it is not edges; sizes n are then the edges that are left, of neurons weighted by the kept share of their source. */
      unit: oneOf('node', 'neuron'),
    },
  ),
  graph: object({
    layers: whole(1, 1000),
    heads: whole(1, 1000),
    block: oneOf('sequential', 'parallel'),
    edgeCount: whole(1),
  }),
  /** Every edge: name, score (positive: the edge helps), whether the circuit has it, and the exact score if it was measured. */
  edges: list(row([text({ longest: 60, pattern: edgeName }), orNull(finite), yesNo], [orNull(finite)]), {
    most: 300_000,
  }),
  /** The circuit that `edges` marks: asked for, and left after pruning. */
  circuit: object({ selection: oneOf('absolute', 'signed'), n: whole(), kept: whole(), faithfulness: orNull(finite) }),
  /** Circuits that a page can draw, from small to large. */
  circuits: list(drawn, { most: 200 }),
  curves: list(curve, { most: 8 }),
  /** CPR (signed, MIB's sizes), CMD (absolute, MIB's sizes), and the mean of f over the log axis of the headline sizes. */
  areas: object({ cpr: orNull(finite), cmd: orNull(finite), logArea: orNull(finite) }),
  /** The smallest evaluated n whose faithfulness reaches the threshold; null where none does. */
  smallest: list(object({ threshold: finite, n: orNull(whole()) }), { most: 10 }),
  /** Some of the pairs, for the reader. */
  pairs: list(pair, { most: 1000 }),
  /** What a reader should know before believing a figure: duplicate or zero sizes, saturated gradients, … */
  flags: list(object({ code: text({ longest: 100 }), text: text() }), { most: 100 }),
};

export const optionalCircuitFields = {
  agreement,
  stability,
  pruned,
  knockOut,
  /** The ends of further metrics, by name: of the whole model and of the empty circuit. */
  also: record(object({ clean: finite, corrupted: finite }), { most: 10 }),
  /** How the bands of the curves were drawn. */
  bands: object({ confidence: finite, resamples: whole(1), seed: whole() }),
};

const circuitRecord = object(circuitFields, optionalCircuitFields);
type CircuitFields = Infer<typeof circuitRecord>;
/**
 * How the scores agree with those of a reference, usually exact patching.
 * @useDeclaredType
 */
export type AgreementRecord = Infer<typeof agreement>;
/**
 * One edge: name, score (positive: it helps), whether the circuit has it, and the exact score where it was measured.
 * @useDeclaredType
 */
export type EdgeRow = CircuitFields['edges'][number];
/**
 * Faithfulness over circuit size, for one ranking and one list of sizes.
 * @useDeclaredType
 */
export type CurveRecord = Infer<typeof curve>;
/**
 * One evaluated size.
 * @useDeclaredType
 */
export type PointRecord = Infer<typeof point>;
/**
 * What a curve is held against.
 * @useDeclaredType
 */
export type BaselineRecord = Infer<typeof baseline>;
/**
 * One pair of prompts, as token strings of equal number.
 * @useDeclaredType
 */
export type PairRecord = Infer<typeof pair>;
/**
 * One circuit that a page can draw.
 * @useDeclaredType
 */
export type DrawnCircuit = Infer<typeof drawn>;
/**
 * What every edge and node of the marked circuit is worth to it: each dropped alone.
 * @useDeclaredType
 */
export type KnockOutRecord = Infer<typeof knockOut>;
/**
 * The marked circuit without one edge or node.
 * @useDeclaredType
 */
export type DropRecord = Infer<typeof drop>;
