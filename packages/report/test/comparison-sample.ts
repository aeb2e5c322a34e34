// A comparison as `limn compare` with a model gives it: six tasks, circuits of 64 edges, the faithfulness matrix, from a fixed seed.
import type { ComparisonRecord, OverlapRecord } from '../src/index.js';

const tasks = ['ioi', 'greater-than', 'greater-than-price', 'gender-bias', 'sva', 'capital-country'];

/** `text` replaces every free text. */
export function comparisonSample({
  text = (original) => original,
  count = tasks.length,
}: { readonly text?: (original: string, index: number) => string; readonly count?: number } = {}): ComparisonRecord {
  let state = 11;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const names = tasks.slice(0, count);
  const overlap = (first: number, second: number, population: number, less = 0): OverlapRecord => {
    const shared = Math.max(0, Math.round(Math.min(first, second) * (0.1 + 0.7 * next() ** 2)) - less);
    const log10P = 0 - shared / 3;
    return {
      first: first - less,
      second: second - less,
      shared: shared,
      iou: shared / (first + second - shared),
      recallOfFirst: shared / first,
      recallOfSecond: shared / second,
      population: population - less,
      p: 10 ** log10P,
      log10P,
    };
  };
  const kept = names.map(() => 50 + Math.round(14 * next()));
  const everyTwo = (less: number): ComparisonRecord['pairs'] =>
    names.flatMap((_, first) =>
      names.slice(first + 1).map((__, j) => {
        const second = first + 1 + j;
        return {
          first,
          second,
          edges: overlap(kept[first] ?? 0, kept[second] ?? 0, 479, less),
          nodes: overlap(14, 15, 20, Math.min(3, less)),
        };
      }),
    );
  const pairs = everyTwo(0);
  const faithfulness = names.map((_, t) => names.map((__, c) => (t === c ? 0.86 + 0.1 * next() : 1.1 * next() - 0.2)));
  const points = names.flatMap((_, task) =>
    names.flatMap((__, circuit) => {
      const found = pairs.find(
        ({ first, second }) => first === Math.min(task, circuit) && second === Math.max(task, circuit),
      );
      if (!found) return [];
      const recall = task < circuit ? 'recallOfFirst' : 'recallOfSecond';
      const { edges, nodes } = found;
      return [
        {
          task,
          circuit,
          faithfulness: faithfulness[task]?.[circuit] ?? 0,
          edgeIou: edges.iou,
          nodeIou: nodes.iou,
          edgeRecall: edges[recall],
          nodeRecall: nodes[recall],
        },
      ];
    }),
  );
  const correlation = { points: points.length, pearson: 0.31, spearman: 0.27 };
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'comparison',
    title: say(`${count} circuits of pocket compared`),
    provenance: {
      versions: { limn: say('0.1.0'), node: say('v20.20.2') },
      adapter: { description: say('SwiftShader Device (Subzero)') },
      model: { name: say('pocket'), weightsSha256: 'ab'.repeat(32) },
      options: { graphs: names.map(say), edges: 64 },
      commandLine: say(`limn compare ${names.join(' ')} --model pocket --edges 64 --out compared`),
    },
    n: 64,
    selector: 'top-n',
    graph: { layers: 4, heads: 4, edgeCount: 479 },
    circuits: names.map((name, i) => ({ name: say(name), kept: kept[i] ?? 0 })),
    pairs,
    core: count > 2 ? { edges: ['input->m0', 'm3->logits'], nodes: ['a1.h1', 'm0', 'm3'] } : { edges: [], nodes: [] },
    ...(count > 2 ? { withoutCore: everyTwo(2) } : {}),
    cross: {
      faithfulness,
      points,
      correlation: { edgeIou: correlation, nodeIou: correlation, edgeRecall: correlation, nodeRecall: correlation },
    },
  };
}
