// Where learning masks stands, as text that tells damage: log α, AdamW's counts and moments, and the history; all that the next update depends on.
import { sha256 } from '@limn/gpu';
import { openSealed, sealText, type HookedModel, type TextStore } from '@limn/hooks';
import type { AdamWState } from '@limn/tensor';
import { ablationName } from './ablation.js';
import type { Ablation } from './ablation.js';
import type { Pair } from './pairs.js';

/** Where masks are kept while they are learnt, and how often. */
export interface MaskCheckpoints {
  /** One text under one key, written over by each checkpoint. */
  readonly store: TextStore;
  /** Updates between two checkpoints; one is also written at the end and when the run is aborted. Default 10. */
  readonly every?: number | undefined;
  /** What decides the last bits besides the model, the pairs and the options: the adapter and its kernel plan. Goes into the key. */
  readonly machine: string;
}

/** After `update` updates. */
export interface MaskState {
  readonly update: number;
  /** log α of every site. */
  readonly gates: readonly Float32Array[];
  readonly optimiser: AdamWState;
  readonly history: readonly { readonly loss: number; readonly edges: number }[];
}

const FORMAT = 'limn.mask-checkpoint';

/** The key of a run: everything that decides its bits. */
export function maskKey(
  model: HookedModel,
  pairs: readonly Pair[],
  run: {
    readonly metric: string;
    readonly ablation: Ablation;
    readonly settings: object;
    readonly memoryBytes: number;
    readonly machine: string;
  },
): Promise<string> {
  const { architecture, fingerprint, processing } = model.info;
  const { metric, ablation, settings, memoryBytes, machine } = run;
  const means = typeof ablation === 'object' ? ablation.digest : null;
  return sha256(
    JSON.stringify([
      [FORMAT, 1, machine, architecture, fingerprint, processing],
      [metric, ablationName(ablation), means, settings, memoryBytes],
      pairs.map(({ clean, corrupted, correct, incorrect }) => [clean, corrupted, correct, incorrect]),
    ]),
  );
}

/** JSON numbers give every f32 back, bit for bit. */
export function maskText({ update, gates, optimiser, history }: MaskState, key: string): Promise<string> {
  const [group] = optimiser.groups;
  const moments = group?.params.map(({ first, second }) => [[...first], [...second]]) ?? [];
  const body = JSON.stringify({
    format: FORMAT,
    version: 1,
    key,
    update,
    gates: gates.map((x) => [...x]),
    moments,
    history,
  });
  return sealText(body);
}

/** The state of that key; undefined for no text, for text that is damaged or cut off, and for another run's. */
export async function readMasks(
  text: string | undefined,
  key: string,
  blank: AdamWState,
): Promise<MaskState | undefined> {
  const body = await openSealed(text);
  if (body === undefined) return undefined;
  const found = JSON.parse(body) as Pick<MaskState, 'update' | 'history'> & {
    readonly format: string;
    readonly version: number;
    readonly key: string;
    readonly gates: readonly (readonly number[])[];
    readonly moments: readonly (readonly [readonly number[], readonly number[]])[];
  };
  if (found.format !== FORMAT || found.version !== 1 || found.key !== key) return undefined;
  const { update, gates, moments, history } = found;
  const groups = blank.groups.map((group) => ({
    ...group,
    count: update,
    params: group.params.map(({ name }, i) => ({
      name,
      first: floats(moments[i]?.[0]),
      second: floats(moments[i]?.[1]),
    })),
  }));
  return { update, gates: gates.map(floats), optimiser: { version: 1, groups }, history };
}

/** JSON has no NaN; what was none comes back as one. */
const floats = (numbers: readonly (number | null)[] = []): Float32Array =>
  Float32Array.from(numbers, (x) => x ?? Number.NaN);
