// What is written down about dictionaries measured over several sparsities: transcoders, SAEs and neurons, layer by layer.
import { provenanceSchema } from '../provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from '../record-text.js';
import { finite, list, object, oneOf, orNull, text, whole, yesNo } from '../schema.js';
import type { Infer, Issue, Json } from '../schema.js';

const name = text({ longest: 1000 });

/** The fields of a `Fidelity`, `Ablations` and `Recovered` of @limn/transcoders; nats, and shares where 1 is nothing lost. */
const fidelity = { loss: finite, divergence: finite, agreement: finite };
const ablations = object({
  layers: list(whole(0, 10_000), { most: 1000 }),
  mean: object(fidelity),
  zero: object(fidelity),
  cost: finite,
});
/** null where an ablation costs nothing, so that there is nothing to recover. */
const recovered = object({ loss: orNull(finite), divergence: orNull(finite) });
const replacement = { ...fidelity, recovered: object({ mean: recovered, zero: recovered }) };

/** A mean and its 95 % interval. */
const interval = object({ mean: finite, low: finite, high: finite });

/** One dictionary, or one number of neurons, in the place of its MLP. */
const point = object(
  {
    name,
    source: oneOf('transcoder', 'skip-transcoder', 'cross-layer-transcoder', 'sae', 'neurons'),
    layer: whole(0, 10_000),
    l0: finite,
    fvu: finite,
    ...replacement,
  },
  {
    /** What was set to get this sparsity: 'k = 16'. Points of one source and setting differ by their seed. */
    setting: name,
    seed: whole(),
    features: whole(),
    deadShare: finite,
    live: whole(),
    /** F1 of live features over known labels, with permuted labels, and the difference; how many features were scored. */
    interpretability: object({ f1: interval, nullF1: interval, aboveNull: interval }, { scored: whole() }),
    recommended: yesNo,
  },
);

const dictionariesSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    kind: oneOf('dictionaries'),
    title: text({ longest: 500 }),
    provenance: provenanceSchema,
    /** Tokens with a next one, over which losses are means, and the mean cross-entropy of the untouched model. */
    predictions: whole(1),
    loss: finite,
    /** By layer: what is lost without its MLP. */
    layers: list(ablations, { most: 1000 }),
    points: list(point, { most: 20_000 }),
  },
  {
    corpus: name,
    /** Several layers replaced at once. */
    together: list(object({ name, ...replacement, ablations }), { most: 500 }),
    /** By which rule a setting is recommended. */
    rule: text(),
  },
);

/**
 * The record of dictionaries over several sparsities.
 * @useDeclaredType
 */
export type DictionariesRecord = Infer<typeof dictionariesSchema>;
/**
 * One dictionary of the sweep.
 * @useDeclaredType
 */
export type DictionaryPoint = Infer<typeof point>;

/** The JSON Schema of dictionaries over several sparsities, for other tools. */
export const dictionariesJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn dictionaries',
  ...dictionariesSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkDictionaries(value: unknown): DictionariesRecord {
  return checkAgainst(dictionariesSchema, value, inconsistencies);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkDictionaries`
 */
export function dictionariesToJson(dictionaries: DictionariesRecord): string {
  return toJson(checkDictionaries(dictionaries));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkDictionaries`
 */
export function dictionariesFromJson(json: string): DictionariesRecord {
  return checkDictionaries(fromJson(json));
}

/** Points of layers that nothing is known of, names that stand twice, and intervals that run backwards. */
function inconsistencies({ layers, points }: DictionariesRecord): Issue[] {
  const issues: Issue[] = [];
  const known = new Set<number>();
  layers.forEach(({ layers: of }, i) => {
    const [layer = -1] = of;
    if (of.length !== 1 || known.has(layer))
      issues.push({ path: `/layers/${i}/layers`, given: `[${of.join(', ')}]`, allowed: 'one layer, each once' });
    known.add(layer);
  });
  const names = new Set<string>();
  points.forEach(({ name: own, layer, l0, interpretability }, i) => {
    const path = `/points/${i}`;
    if (!known.has(layer))
      issues.push({ path: `${path}/layer`, given: String(layer), allowed: `layers ${[...known].join(', ')}` });
    if (names.has(own))
      issues.push({ path: `${path}/name`, given: `${own} for the second time`, allowed: 'each name once' });
    names.add(own);
    if (l0 < 0) issues.push({ path: `${path}/l0`, given: String(l0), allowed: 'a number from 0' });
    for (const [what, range] of Object.entries(interpretability ?? {}))
      if (typeof range === 'object' && !(range.low <= range.high))
        issues.push({
          path: `${path}/interpretability/${what}`,
          given: `${range.low} to ${range.high}`,
          allowed: 'low up to high',
        });
  });
  return issues;
}
