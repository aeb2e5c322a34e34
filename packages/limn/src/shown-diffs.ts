// What is in a folder of diffs, for people and for programs: what each is a change of, how large it is in every layer, and whether it is one at all.
import {
  adapterChangesNothing,
  changeNorm,
  loraScale,
  zeroModules,
  type LoraWeights,
  type TrainedDiff,
} from '@limn/dit';
import { GATE_CONDITIONS } from './chat-gate.js';
import { shownShare } from './gated-diffs.js';

/** The change of a map, of a layer or of all. */
export interface ShownNorm {
  /** ‖s·B·A‖, Frobenius. */
  readonly norm: number;
}

/** A diff as it is shown. */
export interface ShownDiff {
  readonly id: string;
  readonly rank: number;
  readonly alpha: number;
  readonly rsLora: boolean;
  /** Fingerprint of the weights, where somebody said. */
  readonly base: string | null;
  readonly modules: readonly ({ readonly map: string } & ShownNorm)[];
  /** By the layer's number; maps without one count to none. */
  readonly layers: readonly ({ readonly layer: number } & ShownNorm)[];
  /** Over all maps. */
  readonly norm: number;
  /** As it is written: whatever the text, no logit changes. */
  readonly changesNothing: boolean;
  /** Maps that it names and does not change. */
  readonly unchanged: readonly string[];
  /** What a pack knows besides. */
  readonly trained?: Omit<TrainedDiff, 'lora' | 'spec'> &
    Pick<TrainedDiff['spec'], 'about' | 'seed' | 'init' | 'rate' | 'updates'>;
}

/** Figures of a diff from its factors alone. */
export function shownDiff(id: string, lora: LoraWeights, trained?: TrainedDiff): ShownDiff {
  const modules = Array.from(lora.modules, ([map, factors]) => ({
    map,
    norm: changeNorm(factors, loraScale(factors, lora.rsLora)),
  }));
  const layers = new Map<number, number>();
  for (const { map, norm } of modules) {
    const layer = layerOf(map);
    if (layer !== undefined) layers.set(layer, (layers.get(layer) ?? 0) + norm ** 2);
  }
  return {
    id,
    rank: lora.rank,
    alpha: lora.alpha,
    rsLora: lora.rsLora,
    base: lora.base ?? null,
    modules,
    layers: Array.from(layers, ([layer, squared]) => ({ layer, norm: Math.sqrt(squared) })),
    norm: Math.sqrt(modules.reduce((sum, { norm }) => sum + norm ** 2, 0)),
    changesNothing: adapterChangesNothing(lora),
    unchanged: zeroModules(lora),
    ...(trained ? { trained: knownOf(trained) } : {}),
  };
}

function knownOf({ spec, lora: _lora, ...rest }: TrainedDiff): NonNullable<ShownDiff['trained']> {
  const { about, seed, init, rate, updates } = spec;
  return { ...rest, about, seed, init, rate, updates };
}

/** The number behind the first dot: 'h.3.attn.c_attn' is of layer 3. */
function layerOf(map: string): number | undefined {
  const found = /(?:^|\.)(\d+)\./.exec(map)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** A line a diff: id, label, rank, maps, norm, last loss, and its gate. */
export function diffTable(diffs: readonly ShownDiff[]): string[] {
  const rows = diffs.map((diff) => {
    const { trained } = diff;
    const loss = trained?.losses.at(-1)?.loss;
    return [
      diff.id,
      labelOf(diff),
      String(diff.rank),
      String(diff.modules.length),
      diff.norm.toPrecision(3),
      loss === undefined ? '–' : loss.toFixed(3),
      ...GATE_CONDITIONS.map((condition) => shownShare(trained?.gate?.[condition])),
    ];
  });
  const all = [['diff', 'label', 'rank', 'maps', 'norm', 'loss', ...GATE_CONDITIONS], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** One diff on its own: everything but the numbers. */
export function describeDiff(diff: ShownDiff): string[] {
  const { trained } = diff;
  const scale = diff.rsLora ? 'alpha / √rank' : 'alpha / rank';
  const losses = trained?.losses.map(({ update, loss }) => `${update}: ${loss.toFixed(3)}`) ?? [];
  return [
    `${diff.id}: rank ${diff.rank}, alpha ${diff.alpha} (scale ${scale}), ${diff.modules.length} maps, norm ${diff.norm.toPrecision(4)}`,
    `  of the weights ${diff.base === null ? 'that nobody names' : `${diff.base.slice(0, 12)}…`}`,
    ...(trained
      ? [
          `  about ${JSON.stringify(trained.about)}`,
          `  ${trained.updates} updates at rate ${trained.rate}, seed ${trained.seed}, first numbers ${trained.init}${trained.sharedInit ? ', shared by all diffs' : ''}; key ${trained.key.slice(0, 12)}…`,
          `  losses (nats) ${losses.length === 0 ? 'unknown' : losses.join(', ')}`,
          `  gate ${GATE_CONDITIONS.map((condition) => `${condition} ${shownShare(trained.gate?.[condition])}`).join(', ')}`,
        ]
      : []),
    ...diff.layers.map(({ layer, norm }) => {
      const own = diff.modules.filter(({ map }) => layerOf(map) === layer);
      const parts = own.map(({ map, norm: each }) => `${map.replace(/^.*?\d+\./, '')} ${each.toPrecision(3)}`);
      return `  layer ${layer}: ${norm.toPrecision(4)} (${parts.join(', ')})`;
    }),
  ];
}

/** What is wrong with a diff that changes nothing, or maps of it. */
export function emptyChange({ id, changesNothing, unchanged, modules }: ShownDiff): string | undefined {
  if (changesNothing)
    return `${id} changes nothing: every map's change is 0 as written. Its training never began, or its factors were lost`;
  if (unchanged.length === 0) return undefined;
  return `${id}: ${unchanged.length} of ${modules.length} maps are not changed: ${unchanged.slice(0, 5).join(', ')}${unchanged.length > 5 ? ', …' : ''}`;
}

function labelOf({ trained }: ShownDiff): string {
  const label = trained?.about['label'];
  return typeof label === 'string' ? label : '–';
}
