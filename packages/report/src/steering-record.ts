// What is written down about one steering: the learnt values on their cells, other measures of the same cells, and what the values do at every strength.
import { provenanceSchema } from './provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from './record-text.js';
import { anyJson, finite, list, object, oneOf, orNull, record, text, whole, yesNo } from './schema.js';
import type { Infer, Issue, Json } from './schema.js';
import { explanationFaults, explanationFields } from './steering-explanations.js';
import { parityFaults, paritySchema } from './parity-record.js';

const MOST_CELLS = 100_000;
const name = text({ longest: 1000 });
const token = text({ longest: 1000 });
/** One number per cell, [sites, layers, positions], row-major; null where there is none. */
const values = list(orNull(finite), { most: MOST_CELLS });

/** The cells, what was learnt there, and which can have an effect at all. Its fields are those of `CellGrid` of @limn/steering. */
const grid = object(
  {
    /** 'alpha', the scalar α of a cell, or 'norm', the length ‖v‖ of what stands there. */
    measure: name,
    sites: list(name, { most: 20 }),
    layers: list(whole(0, 10_000), { most: 1000 }),
    /** Names of positions: '3', '-1', a role, or 'all'. */
    positions: list(name, { most: 5000 }),
    values,
    /** False where nothing that is done can reach the logits that are read. */
    live: list(yesNo, { most: MOST_CELLS }),
  },
  {
    /** The α of every head behind the number of a cell; null where there are none. */
    heads: list(orNull(list(finite, { most: 1000 })), { most: MOST_CELLS }),
  },
);

/** Another measure of the same cells, and how far it agrees with what was learnt. */
const measured = object(
  { measure: name, values },
  {
    /** Over live cells; Jaccard of the k cells of largest size. */
    agreement: object(
      { spearman: orNull(finite), topJaccard: object({ k: whole(1), value: orNull(finite) }) },
      { cells: whole(), spearmanOfSizes: orNull(finite), signAgreement: orNull(finite) },
    ),
  },
);

/** What an edit does to the activation of a cell at one strength: (‖h̃‖ − ‖h‖) / ‖h‖, and 1 − cos(h̃, h) from 0 to 2. */
const edits = object({ strength: finite, norm: values, direction: values });

const likely = list(object({ token, p: finite }), { most: 50 });
/** Δ = z_c − z_w in logits, p(c), p(w), and the likeliest tokens. */
const answers = { delta: finite, correct: finite, wrong: finite };
const prompt = object(
  {
    /** `position`: the place in `grid.positions` whose values the token takes; left out for a token that is not steered. */
    tokens: list(object({ text: token }, { position: whole(), role: name }), { most: 5000 }),
    correct: token,
    wrong: token,
  },
  {
    untouched: object(answers, { top: likely }),
    /** At each strength; `bucket` is the KL from the untouched model in nats, with c and w as one outcome. */
    outcomes: list(object({ strength: finite, ...answers, bucket: finite }, { top: likely }), { most: 500 }),
  },
);

/** Means over prompts at one strength: `effect` is Δ times the sign of β (Δ itself at 0); shares and nats as in the steering figures. */
const swept = object(
  { strength: finite, effect: finite, flipped: finite, bucket: finite, massDrift: finite },
  { marginReached: finite, rest: finite, sameTopOther: finite },
);

/** What one weight λ of the penalty leads to, and the values that it leaves. */
const pathPoint = object(
  { penalty: finite, nonZero: whole(), effect: finite, drift: finite, twoWaySuccess: finite },
  { values },
);

/** Mean over seeds and standard deviation; null of a single seed. */
const spread = object({ mean: finite, deviation: orNull(finite) });
const compared = object(
  { name, seeds: whole(1), twoWaySuccess: spread, drift: spread },
  { parameters: whole(), nonZero: spread, effect: spread, gap: spread, /** The one of this record. */ own: yesNo },
);

const verdict = object(
  {
    /** Mean Δ₊₁ − Δ₋₁ in logits with its 95 % interval, and the chance of one as large with the values shuffled over the cells. */
    effect: finite,
    interval: object({ low: finite, high: finite }),
    p: finite,
    /** Share of the kept cells that most redrawn training sets keep. */
    stability: orNull(finite),
    /** KL in nats on prompts of other tasks. */
    offTask: orNull(finite),
    supported: yesNo,
  },
  {
    /** The same effect where chance made the values. */
    controls: list(
      object(
        { name, draws: whole(1), mean: finite, low: finite, high: finite },
        {
          /** That of every draw. */
          effects: list(finite, { most: 1000 }),
        },
      ),
      { most: 20 },
    ),
    /** The share of the effect with only the k largest cells, and without them. */
    cells: list(object({ k: whole(), only: finite, without: finite }), { most: 1000 }),
    /** Why it is or is not supported. */
    reasons: list(text(), { most: 20 }),
  },
);

const steeringSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    kind: oneOf('steering'),
    title: text({ longest: 500 }),
    provenance: provenanceSchema,
    method: object(
      {
        /** 'activ-scalar', 'steer-vec', … */
        kind: name,
        /** Numbers that are learnt. */
        parameters: whole(),
      },
      {
        /** How α becomes a factor γ: 1 + βα, e^βα, 1 + A tanh(βα / A). Left out, 'linear'. */
        form: oneOf('linear', 'exponential', 'bounded'),
        /** A. Left out, 3. */
        bound: finite,
        /** Cells that are not exactly 0. */
        nonZero: whole(),
        settings: record(anyJson()),
      },
    ),
    objective: record(anyJson()),
    /** The first is the example that the page begins with. */
    prompts: list(prompt, { most: 200 }),
  },
  {
    task: object({ name }, { description: text(), train: whole(), validation: whole(), test: whole() }),
    /** When a prompt counts as a success, at β = +1 and −1: βΔ ≥ margin, p(c) + p(w) ≥ massShare of the untouched, KL ≤ drift. */
    rule: object({ margin: finite, massShare: finite, drift: finite }),
    grid,
    comparisons: list(measured, { most: 50 }),
    edits,
    sweep: list(swept, { most: 500 }),
    /** Δ of every prompt of the test at some strengths; 0 is the untouched model. */
    distribution: list(object({ strength: finite, deltas: list(finite, { most: 100_000 }) }), { most: 9 }),
    /** Along λ; `chosen` is the point whose values the grid has. */
    path: object({ points: list(pathPoint, { most: 500 }), chosen: whole() }),
    methods: list(compared, { most: 100 }),
    verdict,
    /** E, F and M of the objective while it was learnt, and the cells that are not 0. */
    history: list(object({ update: whole(), effect: finite, drift: finite, penalty: finite, nonZero: whole() }), {
      most: 10_000,
    }),
    ...explanationFields,
    parity: paritySchema,
  },
);

/**
 * The record of one steering.
 * @useDeclaredType
 */
export type SteeringRecord = Infer<typeof steeringSchema>;
/**
 * The cells of a steering and what was learnt there.
 * @useDeclaredType
 */
export type SteeringGridRecord = Infer<typeof grid>;
/**
 * A prompt with what steering does to it.
 * @useDeclaredType
 */
export type SteeredPromptRecord = Infer<typeof prompt>;
/**
 * The causal verdict of a steering.
 * @useDeclaredType
 */
export type SteeringVerdictRecord = Infer<typeof verdict>;
/**
 * One method of the table.
 * @useDeclaredType
 */
export type SteeringMethodRecord = Infer<typeof compared>;
/**
 * One weight of the penalty, and what it leads to.
 * @useDeclaredType
 */
export type SteeringPathPoint = Infer<typeof pathPoint>;

/** The JSON Schema of a steering, for other tools. */
export const steeringJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn steering',
  ...steeringSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkSteering(value: unknown): SteeringRecord {
  return checkAgainst(steeringSchema, value, inconsistencies);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkSteering`
 */
export function steeringToJson(steering: SteeringRecord): string {
  return toJson(checkSteering(steering));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkSteering`
 */
export function steeringFromJson(json: string): SteeringRecord {
  return checkSteering(fromJson(json));
}

/** Lists that are not as long as the grid has cells, places that it does not have, strengths out of order. */
function inconsistencies(steering: SteeringRecord): Issue[] {
  const {
    grid: cells,
    comparisons = [],
    edits: edited,
    path,
    prompts,
    sweep = [],
    distribution = [],
    verdict: judged,
  } = steering;
  const issues: Issue[] = [];
  const expect = (holds: boolean, path: string, given: string, allowed: string): void => {
    if (!holds) issues.push({ path, given, allowed });
  };
  const count = cells ? cells.sites.length * cells.layers.length * cells.positions.length : 0;
  const fits = (path: string, given: readonly unknown[] | undefined): void => {
    if (given) expect(given.length === count, path, `${given.length} entries`, `one per cell of the grid, ${count}`);
  };
  if (cells) expect(count > 0, '/grid', 'no cell', 'at least one cell, or no grid');
  fits('/grid/values', cells?.values);
  fits('/grid/live', cells?.live);
  fits('/grid/heads', cells?.heads);
  comparisons.forEach((each, i) => fits(`/comparisons/${i}/values`, each.values));
  fits('/edits/norm', edited?.norm);
  fits('/edits/direction', edited?.direction);
  path?.points.forEach((each, i) => fits(`/path/points/${i}/values`, each.values));
  if (path)
    expect(path.chosen < path.points.length, '/path/chosen', String(path.chosen), `below ${path.points.length}`);
  expect(prompts.length > 0, '/prompts', 'a list of 0', 'at least the example prompt');
  const positions = cells?.positions.length ?? 0;
  prompts.forEach(({ tokens, outcomes = [], untouched }, i) => {
    tokens.forEach(({ position = -1 }, t) =>
      expect(position < positions, `/prompts/${i}/tokens/${t}/position`, String(position), `below ${positions}`),
    );
    expect(
      outcomes.length === 0 || untouched !== undefined,
      `/prompts/${i}/untouched`,
      'nothing',
      'what the untouched model does, where there are outcomes',
    );
    rises(`/prompts/${i}/outcomes`, outcomes);
  });
  rises('/sweep', sweep);
  rises('/distribution', distribution);
  if (judged)
    expect(
      judged.interval.low <= judged.interval.high,
      '/verdict/interval',
      `${judged.interval.low} to ${judged.interval.high}`,
      'low up to high',
    );
  issues.push(...explanationFaults(steering), ...parityFaults(steering.parity));
  return issues;

  function rises(path: string, rows: readonly { readonly strength: number }[]): void {
    const at = rows.findIndex(({ strength }, i) => strength <= (rows[i - 1]?.strength ?? -Infinity));
    if (at >= 0)
      expect(false, `${path}/${at}/strength`, String(rows[at]?.strength), 'each strength once, in rising order');
  }
}
