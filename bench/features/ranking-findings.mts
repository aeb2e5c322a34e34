// How alike two rankings of features are: Spearman over the features that either has, and how many of the circuit's another one has among its first.
import { meanRanks, pearson } from '@limn/hooks';
import type { RankedUnit } from './rankings.mjs';
import type { CaseFinding, Ranking } from './study.mjs';
import type { Orders } from './trials.mjs';

const COMPARED = ['attribution', 'variance', 'gradient', 'change'] as const satisfies readonly Ranking[];

/** Each beside the graphs' ranking, whose first n are the circuit; sizes of scores are compared. */
export function rankingFindings(orders: Orders, n: number): CaseFinding['rankings'] {
  const [own = []] = orders.graph;
  const key = ({ layer, unit }: RankedUnit): string => `${layer}/${unit}`;
  const circuit = new Set(own.slice(0, n).map(key));
  return Object.fromEntries(
    COMPARED.map((ranking) => {
      const [other = []] = orders[ranking];
      const scores = [own, other].map((order) => new Map(order.map((each) => [key(each), Math.abs(each.score)])));
      const all = [...new Set(scores.flatMap((each) => [...each.keys()]))];
      const [a = [], b = []] = scores.map((each) => all.map((unit) => each.get(unit) ?? 0));
      return [
        ranking,
        {
          spearman: pearson(meanRanks(a), meanRanks(b)),
          shared: other.slice(0, n).filter((each) => circuit.has(key(each))).length,
        },
      ];
    }),
  );
}
