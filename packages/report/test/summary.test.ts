// The sentences about a circuit: they follow the record, whichever way it falls.
import { expect, test } from 'vitest';
import { nodeWeights, summarise } from '../src/index.js';
import { sample } from './sample.js';

const record = sample();
const { circuit } = record;

test('how few edges keep how much', () => {
  expect(summarise(record).headline).toBe('64 of 479 edges (13 %) keep 86 % of the model’s behaviour on greater-than.');
  expect(summarise({ ...record, circuit: { ...circuit, faithfulness: -0.05 } }).headline).toBe(
    '64 of 479 edges (13 %) do not keep the model’s behaviour on greater-than: their faithfulness is −0.05.',
  );
  expect(summarise({ ...record, circuit: { ...circuit, faithfulness: null } }).headline).toContain(
    'could not be measured',
  );
});

test('how it was searched for and measured', () => {
  expect(summarise(record).sentences[0]).toBe(
    'EAP-IG (inputs) (5 steps, left rule) scored all 479 edges on 16 pairs of prompts. Measured on 64 pairs of prompts that the search did not see, ' +
      'the metric prob-diff is 0.912 when they are clean and −0.0412 with everything corrupted.',
  );
});

test('nodes are weighed by the circuit’s |score| through them', () => {
  const edges = [
    ['input->a0.h1<q>', -3, true],
    ['a0.h1->m1', 1, true],
    ['m1->logits', 4, false],
  ] as const;
  expect(nodeWeights({ ...record, edges })).toEqual([
    { node: 'a0.h1', share: 1 },
    { node: 'input', share: 0.75 },
    { node: 'm1', share: 0.25 },
  ]);
  expect(summarise({ ...record, edges }).sentences[1]).toBe(
    'The head that matters most, by share of the circuit’s score: 0.1 (100 %); of the MLPs, MLP 1 (25 %).',
  );
  expect(summarise({ ...record, edges: [] }).sentences.join(' ')).not.toContain('matter');
});

test('thresholds that no size reaches are said to be missed', () => {
  const smallest = [
    { threshold: 0.85, n: 1 },
    { threshold: 0.95, n: null },
    { threshold: 0.99, n: 479 },
  ];
  expect(summarise({ ...record, smallest }).sentences).toContain(
    'The top edge reaches a faithfulness of 0.85, no evaluated size reaches 0.95 and the top 479 edges reach a faithfulness of 0.99 (the whole graph).',
  );
});

test('what the figures are doubted by', () => {
  const said = summarise(record).sentences.join(' ');
  expect(said).toContain(
    'With the pairs of the measurement drawn again, its faithfulness lies between 0.804 and 0.914 (95 % of 1,000 draws).',
  );
  expect(said).toContain(
    'random connected circuits as large and as deep keep 0.16 on average (3 of them, 0.128 to 0.213); as many edges by |Δ| alone, without gradients, keep 0.256.',
  );
  expect(said).toContain('Found again from pairs of the search drawn with replacement (100 times)');
  expect(said).toContain('of its 64 edges are there in at least 95 % of them.');
  expect(said).toContain('It gives the right answer on 75 % of the pairs, the whole model on 97 %');
});

test('what every part is worth', () => {
  const { knockOut } = record;
  if (!knockOut) throw new Error('the sample has no knock-outs');
  const said = (edges: typeof knockOut.edges): string | undefined =>
    summarise({ ...record, knockOut: { ...knockOut, edges } }).sentences.find((s) => s.startsWith('Dropped'));
  const { edges } = knockOut;
  const of = (verdict: string): number => edges.filter((drop) => drop.verdict === verdict).length;
  expect(said(edges)).toBe(
    `Dropped one at a time, ${of('needed')} of 64 edges are needed, ${of('idle')} change nothing, ${of('harmful')} make it better by going; ` +
      'the edge that costs most is MLP 3 → logits (−0.577), the node 2.1 (−0.563).',
  );
  const [first] = edges;
  if (!first) throw new Error('no edge was dropped');
  const gone = { value: null, change: null, faithfulness: null, faithfulnessChange: null, verdict: 'unknown' as const };
  expect(said([{ ...first, ...gone }])).toBe(
    'Dropped one at a time, 0 of 1 edges are needed, 1 leave no finite metric.',
  );
  expect(said([])).toBeUndefined();
});

test('a record without doubts, as older ones are, says none', () => {
  const { stability: _s, bands: _b, also: _a, pruned: _p, knockOut: _k, ...old } = record;
  const curves = old.curves.map(({ baselines: _random, ...curve }) => ({
    ...curve,
    points: curve.points.map(({ band: _band, also: _also, ...point }) => point),
  }));
  const { sentences } = summarise({ ...old, curves });
  expect(sentences).toHaveLength(summarise(record).sentences.length - 5);
  expect(sentences.join(' ')).not.toMatch(/drawn again|random|Jaccard|nats|Dropped/);
});

test('of circuits that are chosen by nodes it says how many edges are enough, and calls none of them a top edge', () => {
  const [scored = '', , sizes = ''] = summarise({ ...record, method: { ...record.method, unit: 'node' } }).sentences;
  expect(scored).toContain('scored all 479 edges and all nodes');
  expect(sizes).toMatch(/\d edges reach a faithfulness of/);
  expect(sizes).not.toContain('top');
  expect(summarise(record).sentences[2]).toMatch(/^The top \d+ edges reach a faithfulness of/);
});
