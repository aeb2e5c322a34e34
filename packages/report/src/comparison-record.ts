// What is written down about circuits compared: what every two share, with and without what all do, and how far each does the others' work.
import { edgeName } from './circuit-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from './record-text.js';
import { anyJson, finite, list, object, oneOf, orNull, record, text, whole } from './schema.js';
import type { Infer, Issue, Json } from './schema.js';

/** Two sets: their sizes, what they share, IoU, recall both ways, and P(X ≥ shared) by chance in the population. */
const overlap = object({
  first: whole(),
  second: whole(),
  shared: whole(),
  iou: orNull(finite),
  recallOfFirst: orNull(finite),
  recallOfSecond: orNull(finite),
  population: whole(),
  p: finite,
  log10P: finite,
});

/** Circuits by their place in `circuits`, the first before the second. */
const pair = object({ first: whole(), second: whole(), edges: overlap, nodes: overlap });
const everyPair = list(pair, { most: 10_000 });

const correlation = object({ points: whole(), pearson: orNull(finite), spearman: orNull(finite) });
/** By what the overlap of two circuits is measured. */
export type OverlapMeasure = 'edgeIou' | 'nodeIou' | 'edgeRecall' | 'nodeRecall';

/** f of every circuit on the pairs of every task; rows and columns are `circuits`, rows the tasks that they were found on. */
const cross = object({
  faithfulness: list(list(orNull(finite), { most: 200 }), { most: 200 }),
  /** One circuit on another's task: f, and what it shares with the task's own circuit; recall is the share of the latter. */
  points: list(
    object({
      task: whole(),
      circuit: whole(),
      faithfulness: finite,
      edgeIou: orNull(finite),
      nodeIou: orNull(finite),
      edgeRecall: orNull(finite),
      nodeRecall: orNull(finite),
    }),
    { most: 40_000 },
  ),
  /** Of f and each measure of overlap over the points. */
  correlation: object({
    edgeIou: correlation,
    nodeIou: correlation,
    edgeRecall: correlation,
    nodeRecall: correlation,
  }),
});

const comparisonSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    kind: oneOf('comparison'),
    title: text({ longest: 500 }),
    provenance: object(
      {
        versions: record(text({ longest: 200 })),
        options: record(anyJson()),
        /** What to type to get the same comparison again. */
        commandLine: text({ longest: 20_000 }),
      },
      {
        adapter: record(anyJson(3)),
        /** The one model of all circuits, as far as their files say. */
        model: object({}, { name: text({ longest: 1000 }), weightsSha256: text({ pattern: /^[0-9a-f]{64}$/ }) }),
      },
    ),
    /** Edges asked for of every circuit, and how they were chosen. */
    n: whole(1),
    selector: oneOf('top-n', 'greedy'),
    graph: object({ layers: whole(1, 1000), heads: whole(1, 1000), edgeCount: whole(1) }),
    /** By task: edges left after pruning. */
    circuits: list(object({ name: text({ longest: 1000 }), kept: whole() }), { most: 200 }),
    pairs: everyPair,
    /** What all circuits have. */
    core: object({
      edges: list(text({ longest: 60, pattern: edgeName }), { most: 300_000 }),
      nodes: list(text({ longest: 40, pattern: /^(a\d+\.h\d+|m\d+)$/ }), { most: 100_000 }),
    }),
  },
  {
    /** What n edges were chosen by: |score| where it is left out, or score, the most helpful first. */
    ranking: oneOf('absolute', 'signed'),
    /** The pairs again without the core, for three circuits and more. */
    withoutCore: everyPair,
    cross,
  },
);

/**
 * The record of circuits compared: what every two share, and how far one does another's work.
 * @useDeclaredType
 */
export type ComparisonRecord = Infer<typeof comparisonSchema>;
/** The JSON Schema of a comparison, for other tools. */
export const comparisonJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn comparison',
  ...comparisonSchema.json,
};

/**
 * Two circuits of a comparison.
 * @useDeclaredType
 */
export type ComparedPair = ComparisonRecord['pairs'][number];
/**
 * Two sets, and how far they are one.
 * @useDeclaredType
 */
export type OverlapRecord = Infer<typeof overlap>;

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkComparison(value: unknown): ComparisonRecord {
  return checkAgainst(comparisonSchema, value, inconsistencies);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkComparison`
 */
export function comparisonToJson(comparison: ComparisonRecord): string {
  return toJson(checkComparison(comparison));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkComparison`
 */
export function comparisonFromJson(json: string): ComparisonRecord {
  return checkComparison(fromJson(json));
}

/** Places of circuits that do not exist, and a matrix that is not square. */
function inconsistencies({ circuits, pairs, withoutCore = [], cross }: ComparisonRecord): Issue[] {
  const count = circuits.length;
  const issues: Issue[] = [];
  const expect = (path: string, place: number, allowed = `places below ${count}`): void => {
    if (place >= count) issues.push({ path, given: String(place), allowed });
  };
  if (count < 2) issues.push({ path: '/circuits', given: `a list of ${count}`, allowed: 'at least two circuits' });
  for (const [name, all] of [
    ['pairs', pairs],
    ['withoutCore', withoutCore],
  ] as const)
    all.forEach(({ first, second }, i) => {
      expect(`/${name}/${i}/second`, second);
      if (first >= second)
        issues.push({ path: `/${name}/${i}/first`, given: String(first), allowed: `places below second, ${second}` });
    });
  cross?.points.forEach(({ task, circuit }, i) => {
    expect(`/cross/points/${i}/task`, task);
    expect(`/cross/points/${i}/circuit`, circuit);
  });
  const rows = cross?.faithfulness ?? [];
  if (cross && (rows.length !== count || rows.some((row) => row.length !== count)))
    issues.push({
      path: '/cross/faithfulness',
      given: `rows of ${rows.map((row) => row.length).join(', ')}`,
      allowed: `${count} rows of ${count}`,
    });
  return issues;
}
