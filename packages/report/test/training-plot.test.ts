// The training plot: every curve where its numbers say, no spike lost among many points, text as text, and words for readers.
import { describe, expect, test } from 'vitest';
import { trainingPlot, type TrainingPoint } from '../src/index.js';
import { hostileTexts } from './hostile-texts.js';

const run = (count: number): TrainingPoint[] =>
  Array.from({ length: count }, (_, i) => ({
    step: i + 1,
    loss: 5 - (3 * i) / count,
    rate: 1e-3 * (1 - i / count),
    ...((i + 1) % 10 === 0 ? { heldOutLoss: 5.2 - (3 * i) / count } : {}),
  }));
const curve = (svg: string, kind: string): [number, number][] =>
  (new RegExp(`class="${kind}"\\s*>\\s*<path\\s+class="curve"\\s+d="M([^"]*)"`).exec(svg)?.[1] ?? '')
    .split('L')
    .map((pair) => pair.split(',').map(Number) as [number, number]);

describe('the training plot', () => {
  test('draws one point per report, later ones to the right and lower losses lower down', () => {
    const svg = trainingPlot(run(40), 'toy');
    for (const [kind, count] of [
      ['batch', 40],
      ['held', 4],
      ['rate', 40],
    ] as const) {
      const points = curve(svg, kind);
      expect(points).toHaveLength(count);
      points.slice(1).forEach(([x, y], i) => {
        expect(x).toBeGreaterThan((points[i] as [number, number])[0]);
        // Downward on the page is larger y.
        expect(y).toBeGreaterThan((points[i] as [number, number])[1]);
      });
    }
    expect(svg).toContain(
      'loss from 5 at update 1 to 2.075 at 40 nats per token; 2.275 on held-out rows at update 40.',
    );
    expect(svg).toMatch(/^<svg\s+xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  });

  test('of many points no spike is lost', () => {
    const points = run(20_000).map((p) => (p.step === 12_345 ? { ...p, loss: 50 } : p));
    const svg = trainingPlot(points);
    const drawn = curve(svg, 'batch');
    expect(drawn.length).toBeLessThan(2000);
    const top = Math.min(...curve(trainingPlot(points.slice(12_340, 12_350)), 'batch').map(([, y]) => y));
    expect(Math.min(...drawn.map(([, y]) => y))).toBeCloseTo(top, 0);
  });

  test('one point, equal losses and no point at all are plots too', () => {
    const one = { step: 1, loss: 2, rate: 0 };
    for (const points of [[], [one], [one, { ...one, step: 2 }]])
      expect(trainingPlot(points)).not.toMatch(/NaN|Infinity/);
    expect(trainingPlot([])).toContain('nothing was reported yet');
  });

  test.each(hostileTexts)('a title is text: %j', (title) => {
    const svg = trainingPlot(run(3), title);
    expect(svg.match(/</g)).toHaveLength((trainingPlot(run(3), 'plain').match(/</g) as string[]).length);
  });
});
