// Circuits tried by intervening: units set to what they are in the other prompt, or everything but them, by ranking and size; and the circuit beside random ones.
import type { Dictionary } from '@limn/transcoders';
import { ranked, likeUnits, type GradientScores, type RankedUnit } from './rankings.mjs';
import type { TrialPairs } from './cases.mjs';
import type { FeatureFigures } from './found-effects.mjs';
import type { Stage } from './stages.mjs';
import {
  featuresSetTo,
  headsSetTo,
  masksOf,
  neuronsSetTo,
  onlyFeatures,
  onlyHeads,
  onlyNeurons,
  PairRuns,
  type Masks,
} from './pair-runs.mjs';
import { RANKINGS, type HeadFinding, type Ranking, type SizeFinding, type TrialFinding } from './study.mjs';

export const SIZES: readonly number[] = [1, 4, 16, 64];
/** Features that a circuit may have. */
const CIRCUITS = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64];
/** Share of what all features lose that a circuit is to lose, on the pairs that it is found on. */
const ENOUGH = 0.8;
/** Share of the metric that a head of a circuit loses by itself. */
const HEAD_LOSS = 0.05;

export type Orders = Readonly<Record<Ranking, readonly (readonly RankedUnit[])[]>>;

/** Every ranking, the random ones several times over. */
export function ordersOf(figures: FeatureFigures, gradients: GradientScores, draws: number): Orders {
  const graph = ranked(figures.effect);
  const most = SIZES.at(-1) as number;
  const like = (quantity: readonly ArrayLike<number>[]): RankedUnit[][] =>
    Array.from({ length: draws }, (_, seed) => likeUnits(graph.slice(0, most), quantity, { apart: APART, seed }));
  return {
    graph: [graph],
    attribution: [ranked(figures.attribution)],
    variance: [ranked(figures.variance)],
    gradient: [ranked(gradients.features)],
    change: [ranked(figures.change)],
    'random, as active': like(figures.activation),
    'random, as changing': like(figures.change),
    neurons: [ranked(gradients.neurons)],
  };
}

/** The first units of the graphs' ranking, which are not drawn as random ones: a circuit, about. */
const APART = 16;

const masksFor = (runs: PairRuns, ranking: Ranking, units: readonly RankedUnit[]): Masks => {
  const { layers, mlpWidth } = runs.model.info;
  return masksOf(
    layers,
    ranking === 'neurons' ? mlpWidth : (runs.dictionaries[0] as Dictionary).config.features,
    units,
  );
};

/** Lost and kept of the first n of a ranking. */
async function sizeFinding(
  runs: PairRuns,
  ranking: Ranking,
  orders: readonly (readonly RankedUnit[])[],
  n: number,
): Promise<SizeFinding> {
  const { corrupted } = runs.sides;
  const [lost, kept]: [number[], number[]] = [[], []];
  for (const order of orders) {
    const masks = masksFor(runs, ranking, order.slice(0, n));
    lost.push(
      await runs.lost(ranking === 'neurons' ? neuronsSetTo(corrupted, masks) : featuresSetTo(runs, corrupted, masks)),
    );
    kept.push(
      await runs.kept(ranking === 'neurons' ? onlyNeurons(corrupted, masks) : onlyFeatures(runs, corrupted, masks)),
    );
  }
  return { n, lost, kept };
}

const allOf = ({ dictionaries }: PairRuns): Masks =>
  dictionaries.map(({ config }) => new Float32Array(config.features).fill(1));

/** The fewest of the graphs' first features whose setting loses ENOUGH of what setting all of them does. */
export async function circuitFeatures(runs: PairRuns, order: readonly RankedUnit[]): Promise<readonly RankedUnit[]> {
  const all = await runs.lost(featuresSetTo(runs, runs.sides.corrupted, allOf(runs)));
  for (const n of CIRCUITS) {
    const units = order.slice(0, n);
    const lost = await runs.lost(featuresSetTo(runs, runs.sides.corrupted, masksFor(runs, 'graph', units)));
    if (lost >= ENOUGH * all) return units;
  }
  return order.slice(0, CIRCUITS.at(-1));
}

/** Median over the circuit and the draws of a quantity of the random features, relative to that of the circuit's. */
export function likenessOf(
  circuit: readonly RankedUnit[],
  draws: readonly (readonly RankedUnit[])[],
  quantity: readonly (readonly number[])[],
): number {
  const of = ({ layer, unit }: RankedUnit): number => quantity[layer]?.[unit] as number;
  const ratios = draws
    .flatMap((order) => circuit.flatMap((unit, i) => (order[i] ? [of(order[i]) / of(unit)] : [])))
    .sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)] ?? 0;
}

/** Whether a head loses much by itself. */
export const isOfCircuit = ({ lost }: HeadFinding): boolean => lost >= HEAD_LOSS;

/** Those heads. */
export const circuitHeads = (heads: readonly HeadFinding[]): { readonly layer: number; readonly unit: number }[] =>
  heads.filter(isOfCircuit).map(({ layer, head }) => ({ layer, unit: head }));

/** One set of pairs: the circuit, all features, and curves by ranking. */
export async function tryCircuit(
  runs: PairRuns,
  { name, about }: TrialPairs,
  circuit: {
    readonly features: readonly RankedUnit[];
    readonly heads: readonly { readonly layer: number; readonly unit: number }[];
  },
  orders: Orders,
  stage: Stage,
): Promise<TrialFinding> {
  const { corrupted } = runs.sides;
  const { layers, heads: H } = runs.model.info;
  const heads = masksOf(layers, H, circuit.heads);
  const own = masksFor(runs, 'graph', circuit.features);
  const all = allOf(runs);
  const n = circuit.features.length;
  const [random, active] = (['random, as changing', 'random, as active'] as const).map((ranking) =>
    orders[ranking].map((order) => masksFor(runs, 'graph', order.slice(0, n))),
  ) as [Masks[], Masks[]];
  const findings = await stage('circuit', async (): Promise<TrialFinding['circuit']> => ({
    lost: await runs.lost(featuresSetTo(runs, corrupted, own)),
    lostWithHeads: await runs.lost([...featuresSetTo(runs, corrupted, own), ...headsSetTo(corrupted, heads)]),
    headsLost: await runs.lost(headsSetTo(corrupted, heads)),
    kept: await runs.kept(onlyFeatures(runs, corrupted, own)),
    keptWithHeads: await runs.kept([...onlyFeatures(runs, corrupted, own), ...onlyHeads(corrupted, heads)]),
    random: {
      lost: await inTurn(random, (masks) => runs.lost(featuresSetTo(runs, corrupted, masks))),
      keptWithHeads: await inTurn(random, (masks) =>
        runs.kept([...onlyFeatures(runs, corrupted, masks), ...onlyHeads(corrupted, heads)]),
      ),
    },
    asActive: await inTurn(active, (masks) => runs.lost(featuresSetTo(runs, corrupted, masks))),
  }));
  const curves: Partial<Record<Ranking, SizeFinding[]>> = {};
  for (const ranking of RANKINGS) {
    curves[ranking] = await stage(ranking, () =>
      inTurn(SIZES, (size) => sizeFinding(runs, ranking, orders[ranking], size)),
    );
  }
  return {
    name,
    about,
    metric: runs.metric,
    circuit: findings,
    allFeatures: await stage('all features', async () => ({
      lost: await runs.lost(featuresSetTo(runs, corrupted, all)),
      kept: await runs.kept(onlyFeatures(runs, corrupted, all)),
    })),
    curves,
  };
}

/** One after the other: each holds memory of its own. */
export async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
