// Where learning stands, as sealed text: values, the optimiser's counts and moments, and the history; all that the next update depends on.
import { sha256 } from '@limn/gpu';
import { floatsToText, openSealed, sealText, textToFloats, type ModelInfo, type TextStore } from '@limn/hooks';
import type { AdamWState } from '@limn/tensor';
import type { SteeringExample } from './examples.js';
import type { SteeringValues } from './steering.js';
import type { TrainingRecord, UpdateFigures } from './training-record.js';

/** Where the state is kept while steering is learnt, and how often. */
export interface SteeringCheckpoints {
  /** One text under one key, written over by each checkpoint. */
  readonly store: TextStore;
  /** Updates between two checkpoints; one is also written at the end, and when the run is aborted. Default 25. */
  readonly every?: number | undefined;
  /** What decides the last bits besides the model, the examples and the options: the adapter and its kernel plan. Goes into the key. */
  readonly machine: string;
}

/** After `update` updates. */
export interface TrainingState {
  readonly update: number;
  /** Every parameter, in the order of `Steering.parameters`. */
  readonly values: readonly Float32Array[];
  /** The values before the survivors were fitted again; once that has begun. */
  readonly sparse: readonly Float32Array[] | undefined;
  readonly optimiser: AdamWState;
  readonly history: readonly TrainingRecord[];
  /** Updates that no record stands for yet. */
  readonly since: readonly UpdateFigures[];
  /** Updates after which the first part ended, when it ended early. */
  readonly endedAt: number | undefined;
}

const FORMAT = 'limn.steering-checkpoint';

/** The key of a run: everything that decides its bits. */
export function trainingKey(
  info: ModelInfo,
  examples: readonly (readonly SteeringExample[])[],
  run: { readonly machine: string; readonly settings: object },
): Promise<string> {
  const { architecture, fingerprint, processing } = info;
  return sha256(
    JSON.stringify([
      [FORMAT, 1, run.machine, architecture, fingerprint, processing],
      run.settings,
      examples.map((part) => part.map(({ prompt, correct, wrong, roles }) => [prompt, correct, wrong, roles ?? null])),
    ]),
  );
}

/** sha256 over the numbers and the spec of values. */
export function valuesDigest({ spec, fingerprint, places }: SteeringValues): Promise<string> {
  const numbers = [...places].map(([at, own]) => [at, [...own].map(([name, data]) => [name, floatsToText(data)])]);
  return sha256(JSON.stringify([fingerprint, spec, numbers]));
}

/** The text of a state. */
export function trainingText(
  { update, values, sparse, optimiser, history, since, endedAt }: TrainingState,
  key: string,
): Promise<string> {
  const moments = optimiser.groups.flatMap(({ params }) =>
    params.map(({ first, second }) => [floatsToText(first), floatsToText(second)]),
  );
  return sealText(
    JSON.stringify({
      format: FORMAT,
      version: 1,
      key,
      update,
      endedAt: endedAt ?? null,
      count: optimiser.groups[0]?.count ?? 0,
      values: values.map(floatsToText),
      sparse: sparse?.map(floatsToText) ?? null,
      moments,
      history,
      since,
    }),
  );
}

/** The state of that key; undefined for no text, for text that is damaged or cut off, and for another run's. */
export async function readTraining(
  text: string | undefined,
  key: string,
  blank: AdamWState,
): Promise<TrainingState | undefined> {
  const body = await openSealed(text);
  if (body === undefined) return undefined;
  const found = JSON.parse(body) as {
    readonly format: string;
    readonly version: number;
    readonly key: string;
    readonly update: number;
    readonly endedAt: number | null;
    readonly count: number;
    readonly values: readonly string[];
    readonly sparse: readonly string[] | null;
    readonly moments: readonly (readonly [string, string])[];
    readonly history: readonly TrainingRecord[];
    readonly since: readonly UpdateFigures[];
  };
  if (found.format !== FORMAT || found.version !== 1 || found.key !== key) return undefined;
  let at = 0;
  const groups = blank.groups.map((group) => ({
    ...group,
    count: found.count,
    params: group.params.map(({ name }) => {
      const [first = '', second = ''] = found.moments[at++] ?? [];
      return { name, first: textToFloats(first), second: textToFloats(second) };
    }),
  }));
  return {
    update: found.update,
    endedAt: found.endedAt ?? undefined,
    values: found.values.map(textToFloats),
    sparse: found.sparse?.map(textToFloats),
    optimiser: { version: 1, groups },
    history: found.history,
    since: found.since,
  };
}
